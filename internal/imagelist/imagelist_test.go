package imagelist_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

const digest = "sha256:f30638f60452062aba36a26ee6c036feead2f03b28f2c47f2b0a991e4182331e"

// show prints mappings one a line: place, source -> destinations.
func show(ms []imagelist.Mapping) []string {
	var out []string
	for _, m := range ms {
		out = append(out, fmt.Sprintf("%s%s -> %v", m.At, m.Source, m.Destinations))
	}
	return out
}

func showPlan(ms []plan.Mapping) []string {
	var out []string
	for _, m := range ms {
		out = append(out, fmt.Sprintf("%s -> %v", m.Source, m.Destinations))
	}
	return out
}

func TestParseArgs(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"none", nil, nil},
		{"one destination", []string{"quay.io/a/b:v1", "reg:5000/x"}, []string{"argument 1: quay.io/a/b:v1 -> [reg:5000/x]"}},
		{"many destinations", []string{"quay.io/a/b:v1", "reg:5000/x:y", "file://x", "s3://h/r/b/p:t"}, []string{
			"argument 1: quay.io/a/b:v1 -> [reg:5000/x:y file://x s3://h/r/b/p:t]",
		}},
		{"pairs", []string{"a/b:1=r.x/a:1", "a/b:2=r.x/a"}, []string{
			"argument 1: a/b:1 -> [r.x/a:1]", "argument 2: a/b:2 -> [r.x/a]",
		}},
		{"wildcard", []string{"file://openshift/release:4.14.1*", "reg:5000/ocp4/openshift4"}, []string{
			"argument 1: file://openshift/release:4.14.1* -> [reg:5000/ocp4/openshift4]",
		}},
		{"digest", []string{"quay.io/a@" + digest + "=reg:5000/x"}, []string{"argument 1: quay.io/a@" + digest + " -> [reg:5000/x]"}},
		{"all tags", []string{"quay.io/a", "reg:5000/x"}, []string{"argument 1: quay.io/a:* -> [reg:5000/x]"}},
	} {
		got, err := imagelist.ParseArgs(tt.args)
		if diff := cmp.Diff(tt.want, show(got)); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

func TestParseArgsErrors(t *testing.T) {
	for _, tt := range []struct {
		args      []string
		text, tip string
	}{
		{[]string{"quay.io/a:1"}, "argument 2: no destination for quay.io/a:1", "argument 2 looks empty (nothing is there): is a shell variable unset?"},
		{[]string{"quay.io/a:"}, "argument 1: ", "argument 1 looks empty (nothing is after the last colon): is a shell variable unset?"},
		{[]string{""}, "argument 1: ", "argument 1 looks empty"},
		{[]string{"quay.io/a:1", ""}, "argument 2: ", "argument 2 looks empty"},
		{[]string{"quay.io/a:1", "reg:5000/"}, "argument 2: ", "argument 2 looks empty (nothing is after the last slash)"},
		{[]string{"quay.io/a:1", "/"}, "argument 2: ", "argument 2 looks empty"},
		{[]string{"quay.io/a:1", "r.x/a", "/b"}, "argument 3: ", "argument 3 looks empty (nothing is before the first slash)"},
		{[]string{"quay.io//x:-", "r.x/a"}, "argument 1: ", "argument 1 looks empty (nothing is between two slashes)"},
		{[]string{"a:1=r.x/a", "a:2="}, "argument 2: ", "argument 2 looks empty"},
		{[]string{"=r.x/a"}, "argument 1: ", "argument 1 looks empty"},
		{[]string{"a:1=r.x/a", "a:2"}, `argument 2: "a:2" is not SRC=DST as the other arguments are`, ""},
		{[]string{"a:2", "a:1=r.x/a"}, `argument 1: "a:2" is not SRC=DST`, ""},
		{[]string{"a:1", "r.x/a@" + digest}, "argument 2: ", ""},
		{[]string{"a:1", "r.x/a:*"}, "in the tag of a source only", ""},
		{[]string{"a:1", "mirror:5000"}, "looks like a registry with its port", "mirror:5000/REPOSITORY"},
		{[]string{"a:1", "r.example.com"}, "names a registry, but no repository", "r.example.com/REPOSITORY"},
		{[]string{"s3://h/r/b/p:t", "r.x/a"}, "s3:// can be a destination, not a source", ""},
		{[]string{"a:1=b=c"}, "argument 1: ", ""},
	} {
		_, err := imagelist.ParseArgs(tt.args)
		e, ok := errors.AsType[*imagelist.Error](err)
		if !ok || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.text)
			continue
		}
		if !strings.Contains(e.Hint(), tt.tip) || (tt.tip == "" && e.Hint() != "") {
			t.Errorf("%q: hint %q, want %q", tt.args, e.Hint(), tt.tip)
		}
	}
}

func TestParseFile(t *testing.T) {
	const text = "\ufeff# images of today\r\n" +
		"\n" +
		"quay.io/a:1=r.x/a:1 # the first\r\n" +
		"  quay.io/b:1\t \tr.x/b   r.x/c:2\n" +
		"\t\n" +
		"quay.io/c:1=r.x/c quay.io/d:1=r.x/d#no space\n" +
		"quay.io/e:1=r.x/e"
	got, err := imagelist.ParseFile("m.txt", strings.NewReader(text))
	want := []string{
		"file m.txt, line 3: argument 1: quay.io/a:1 -> [r.x/a:1]",
		"file m.txt, line 4: argument 1: quay.io/b:1 -> [r.x/b r.x/c:2]",
		"file m.txt, line 6: argument 1: quay.io/c:1 -> [r.x/c]",
		"file m.txt, line 6: argument 2: quay.io/d:1 -> [r.x/d]",
		"file m.txt, line 7: argument 1: quay.io/e:1 -> [r.x/e]",
	}
	if diff := cmp.Diff(want, show(got)); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestParseFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a:1=r.x/a\n# c\na:2=":                     "file -, line 3: argument 1: ",
		"a:1=r.x/a\na:2":                           "file -, line 2: argument 2: no destination for a:2",
		"a:1=r.x/a a:2":                            "file -, line 1: argument 2: ",
		"a:1=r.x/a\n" + strings.Repeat("x", 70000): "file -, line 2: the line is longer than 64 KiB",
	} {
		_, err := imagelist.ParseFile("-", strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	_, err := imagelist.ParseFile("-", strings.NewReader(strings.Repeat("x", 70000)))
	if e, ok := errors.AsType[*imagelist.Error](err); !ok || e.Hint() != "" {
		t.Errorf("a long line gets the hint of an empty argument: %v", err)
	}
	broken := errors.New("the disk is gone")
	_, err = imagelist.ParseFile("m", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "file m, line 1: ") {
		t.Errorf("a failing reader: %v", err)
	}
}

func TestExpand(t *testing.T) {
	tags := []string{"4.14.10-x86_64", "4.14.1-x86_64-cli", "4.14.1-x86_64", "4.15.0-x86_64", "4.14.1-x86_64", "4.14.1!bad"}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"file://openshift/release:4.14.1*", "reg:5000/ocp"}, []string{
			"file://openshift/release:4.14.1-x86_64 -> [reg:5000/ocp:4.14.1-x86_64]",
			"file://openshift/release:4.14.1-x86_64-cli -> [reg:5000/ocp:4.14.1-x86_64-cli]",
			"file://openshift/release:4.14.10-x86_64 -> [reg:5000/ocp:4.14.10-x86_64]",
		}},
		{[]string{"file://r:4.15*", "reg:5000/ocp:x", "reg:5000/b"}, []string{"file://r:4.15.0-x86_64 -> [reg:5000/ocp:x reg:5000/b:4.15.0-x86_64]"}},
		{[]string{"q.io/a:1", "reg:5000/ocp", "reg:5000/ocp:2"}, []string{"q.io/a:1 -> [reg:5000/ocp:1 reg:5000/ocp:2]"}},
		{[]string{"q.io/a@" + digest, "reg:5000/ocp", "reg:5000/ocp:2"}, []string{"q.io/a@" + digest + " -> [reg:5000/ocp reg:5000/ocp:2]"}},
	} {
		ms, err := imagelist.ParseArgs(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(ms)
		got, err := imagelist.Expand(ms[0], tags)
		if diff := cmp.Diff(tt.want, showPlan(got)); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", tt.args, err, diff)
		}
		if fmt.Sprint(ms) != before {
			t.Errorf("%q: Expand changed its argument to %v", tt.args, ms)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	many := []string{"v1", "v2", "v3", "v4", "v5", "v6", "v7"}
	for _, tt := range []struct {
		args, tags []string
		want       string
	}{
		{[]string{"q.io/a:w*", "r.x/a"}, nil, "argument 1: no tag matches q.io/a:w*: the repository has none"},
		{[]string{"q.io/a:w*", "r.x/a"}, many, "argument 1: no tag matches q.io/a:w*: there are v1, v2, v3, v4, v5 and 2 more"},
		{[]string{"file://a:4.16*", "r.x/a"}, []string{"4.14.2-x86_64-cli", "4.14.2-x86_64"}, "there are 4.14.2"},
		{[]string{"q.io/a:v*", "r.x/b", "r.x/a:t"}, many, "q.io/a:v* matches 7 tags, so the destination r.x/a:t must be a repository without a tag"},
	} {
		ms, err := imagelist.ParseArgs(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		_, err = imagelist.Expand(ms[0], tt.tags)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	const twice, same = "each destination tag may only be specified once: ", "SRC and DST may not be the same: "
	other := strings.Replace(digest, "f3", "a0", 1)
	for _, tt := range []struct {
		pairs   []string
		sameDir bool
		want    string
	}{
		{[]string{"a:1=r.x/a", "a:2=r.x/a"}, true, ""},
		{[]string{"a:1=r.x/a:t", "b:1=r.x/a:t"}, true, twice + "r.x/a:t is the destination of a:1 and of b:1"},
		{[]string{"a:1=b", "c:1=docker.io/library/b:1"}, true, twice},
		{[]string{"a:1=file://b:1", "c:1=file://x.y/b:1"}, true, twice},
		{[]string{"a@" + digest + "=r.x/a", "a@" + other + "=r.x/a"}, true, ""},
		{[]string{"a@" + digest + "=r.x/a", "b@" + digest + "=r.x/a"}, true, twice},
		{[]string{"a:1=docker.io/a"}, true, same + "a:1"},
		{[]string{"a:1=docker.io/library/a:1"}, true, same},
		{[]string{"a:1=a:2"}, true, ""},
		{[]string{"a@" + digest + "=a:2"}, true, ""},
		{[]string{"a@" + digest + "=a"}, true, same},
		{[]string{"file://a:1=file://a"}, true, same},
		{[]string{"file://a:1=file://a"}, false, ""},
		{[]string{"q.io/a:1=q.io/a"}, false, same},
	} {
		ms, err := imagelist.ParseArgs(tt.pairs)
		if err != nil {
			t.Fatal(err)
		}
		var all []plan.Mapping
		for _, m := range ms {
			p, err := imagelist.Expand(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p...)
		}
		err = imagelist.Check(all, tt.sameDir)
		if (err == nil) != (tt.want == "") || (err != nil && !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%q: %v, want %q", tt.pairs, err, tt.want)
		}
	}
}

func TestReleases(t *testing.T) {
	got := imagelist.Releases([]string{
		"4.14.10-x86_64", "4.14.10-x86_64-cli", "4.14.9-aarch64-multus-cni", "4.14.9-multi", "4.12.0-rc.8-x86_64-cli", "4.12.0-x86_64",
		"4.12.0-rc.10-x86_64", "4.14.0-0.nightly-2023-01-09-095104-x86_64-cli", "4.14.10-multus-cni", "latest", "sha256-abc.sig", "v4.14.1-x86_64",
		"4.12.0-ec.1-s390x", "4.14.10",
	})
	want := []string{"4.12.0-ec.1", "4.12.0-rc.8", "4.12.0-rc.10", "4.12.0", "4.14.0-0.nightly-2023-01-09-095104", "4.14.9", "4.14.10"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIsRelease(t *testing.T) {
	for tag, want := range map[string]bool{
		"4.14.3-x86_64": true, "4.14.3-multi": true, "4.14.0-rc.1-aarch64": true, "4.15.0-0.okd-2024-03-10-010116-x86_64": true,
		"4.14.3-x86_64-cli": false, "4.14.3-x86_64-cli-artifacts": false, "4.14.0-rc.1-x86_64-tools-multi": false, "4.14.3": false, "latest": false, "": false,
	} {
		if got := imagelist.IsRelease(tag); got != want {
			t.Errorf("%q: %v, want %v", tag, got, want)
		}
	}
}

func TestFurther(t *testing.T) {
	tags := []string{"4.14.1-x86_64", "4.14.1-x86_64-cli", "4.14.10-x86_64", "4.14.10-x86_64-cli", "4.14.12-x86_64", "4.15.0-x86_64"}
	for glob, want := range map[string][]string{
		"4.14.1*":         {"4.14.10", "4.14.12"},
		"4.14.1-x86_64*":  nil,
		"4.14.10*":        nil,
		"4.15*":           nil,
		"4.14*":           {"4.14.1", "4.14.10", "4.14.12"},
		"*":               {"4.14.1", "4.14.10", "4.14.12", "4.15.0"},
		"4.14.1*-x86_64*": {"4.14.10", "4.14.12"},
	} {
		var matched []string
		for _, tag := range tags {
			if (ref.Pattern{Glob: glob}).Match(tag) {
				matched = append(matched, tag)
			}
		}
		if got := imagelist.Further(glob, matched); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", glob, got, want)
		}
	}
	if got := imagelist.Further("4.14.1*", []string{"4.14.10-x86_64"}); !slices.Equal(got, []string{"4.14.10"}) {
		t.Errorf("4.14.1* that finds 4.14.10 alone: %v", got)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("a:1=r.x/a\n# c\nquay.io/b:* r.x/c\t r.x/d")
	f.Add("=\n")
	f.Add("file://a:4.1* =")
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := imagelist.ParseFile("f", strings.NewReader(text))
		if err != nil {
			if _, ok := errors.AsType[*imagelist.Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		for _, m := range ms {
			for _, d := range m.Destinations {
				if d.RequireRepository() != nil || !d.Digest.IsZero() {
					t.Fatalf("destination %+v", d)
				}
			}
		}
	})
}
