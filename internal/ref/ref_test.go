package ref_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

const hexDigest = "sha256:f30638f60452062aba36a26ee6c036feead2f03b28f2c47f2b0a991e4182331e"

var digest = oci.MustDigest(hexDigest)

// byString compares refs with their interned digests.
var byString = cmp.Comparer(func(a, b oci.Digest) bool { return a == b })

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want ref.Ref
		out  string // "" for the same as in
	}{
		{"quay.io/openshift-release-dev/ocp-release:4.14.0-x86_64", ref.Ref{Host: "quay.io", Path: "openshift-release-dev/ocp-release", Tag: "4.14.0-x86_64"}, ""},
		{"docker://quay.io/a/b", ref.Ref{Host: "quay.io", Path: "a/b"}, "quay.io/a/b"},
		{"registry.example.com:8443", ref.Ref{Host: "registry.example.com:8443"}, ""},
		{"registry.example.com", ref.Ref{Host: "registry.example.com"}, ""},
		{"localhost:5000", ref.Ref{Host: "localhost:5000"}, ""},
		{"localhost", ref.Ref{Host: "localhost"}, ""},
		{"localhost/x", ref.Ref{Host: "localhost", Path: "x"}, ""},
		{"mirror:5000", ref.Ref{Path: "mirror", Tag: "5000"}, ""},
		{"mirror:5000/olm", ref.Ref{Host: "mirror:5000", Path: "olm"}, ""},
		{"busybox", ref.Ref{Path: "busybox"}, ""},
		{"busybox:1.36", ref.Ref{Path: "busybox", Tag: "1.36"}, ""},
		{"library/busybox:1.36", ref.Ref{Path: "library/busybox", Tag: "1.36"}, ""},
		{"127.0.0.1:5000/a/b/c/d:t", ref.Ref{Host: "127.0.0.1:5000", Path: "a/b/c/d", Tag: "t"}, ""},
		{"[::1]:5000/a:t", ref.Ref{Host: "[::1]:5000", Path: "a", Tag: "t"}, ""},
		{"[::1]:5000", ref.Ref{Host: "[::1]:5000"}, ""},
		{"Registry.Example.COM/a", ref.Ref{Host: "Registry.Example.COM", Path: "a"}, ""},
		{"quay.io/a@" + hexDigest, ref.Ref{Host: "quay.io", Path: "a", Digest: digest}, ""},
		{"quay.io/a:t@" + hexDigest, ref.Ref{Host: "quay.io", Path: "a", Tag: "t", Digest: digest}, "quay.io/a@" + hexDigest},
		{"file://openshift/release:4.14.3-x86_64", ref.Ref{Scheme: ref.File, Path: "openshift/release", Tag: "4.14.3-x86_64"}, ""},
		{"file:///local/index", ref.Ref{Scheme: ref.File, Path: "local/index"}, "file://local/index"},
		{"file://my.dir/index", ref.Ref{Scheme: ref.File, Label: "my.dir", Path: "index"}, ""},
		{"file://mirror:5000", ref.Ref{Scheme: ref.File, Path: "mirror", Tag: "5000"}, ""},
		{"s3://s3.amazonaws.com/us-east-1/bucket/a/b:t", ref.Ref{Scheme: ref.S3, Host: "s3.amazonaws.com", Path: "us-east-1/bucket/a/b", Tag: "t"}, ""},
		{"s3://minio/r/b/x", ref.Ref{Scheme: ref.S3, Host: "minio", Path: "r/b/x"}, ""},
	} {
		got, err := ref.Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, byString); diff != "" {
			t.Errorf("Parse(%q): -want +got\n%s", tt.in, diff)
		}
		if tt.out == "" {
			tt.out = tt.in
		}
		if got.String() != tt.out {
			t.Errorf("Parse(%q).String() = %q, want %q", tt.in, got, tt.out)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ in, reason, hint string }{
		{"", "it is empty", "unset"},
		{"quay.io/A/b", "lower case", ""},
		{"quay.io/a b", "white space", ""},
		{"quay.io/a\x00", "control", ""},
		{"quay.io/a\xff", "invalid characters", ""},
		{"quay.io//b", "an element of the path is empty", "nothing is between two slashes"},
		{"quay.io/", "the name of the repository is empty", "nothing is after the last slash"},
		{"quay.io/a/", "an element of the path is empty", "unset"},
		{"/", "an element of the path is empty", "nothing is before the first slash"},
		{"/ocp4/openshift4", "an element of the path is empty", "nothing is before the first slash"},
		{":", "the name of the repository is empty", "nothing is before the first colon"},
		{":5000/x", `"" is not the name of a registry`, "nothing is before the first colon"},
		{"reg:/x", `"" is not the port of a registry`, "between a colon and a slash"},
		{"reg:5000/", "the name of the repository is empty", "nothing is after the last slash"},
		{"quay.io//x:-", "an element of the path is empty", "unset"},
		{"quay.io/x:-x86_64", `"-x86_64" is not a tag`, "the tag begins with a dash"},
		{"quay.io/x/:4.14.0-x86_64", "an element of the path is empty", "between a slash and a colon"},
		{"quay.io/x:", "the tag is empty", "nothing is after the last colon"},
		{"quay.io/x@", "not a sha256 or sha512 digest", "nothing is after the @"},
		{"quay.io/x@sha256:abc", "not a sha256 or sha512 digest", ""},
		{"quay.io/x:a/b", `"a/b" is not a tag`, ""},
		{"quay.io@" + hexDigest, "it has a digest, but no repository", ""},
		{"quay.io/x:4.14*", "a * is understood in the tag of a source only", ""},
		{"quay.io/*:4.14", "a * is understood in the tag of a source only", ""},
		{"https://quay.io/x", "registries are written without https://", ""},
		{"oci:///x", "the scheme is none of", ""},
		{"file://", "the name of the repository is empty", "unset"},
		{"file:////x", "an element of the path is empty", "unset"},
		{"file://../x", "not a path on the disk", ""},
		{"file://a/../../x", `"a/../../x" is not the name of a repository`, ""},
		{"s3:///x", `"" is not the name of a registry`, ""},
		{"my_reg.example.com:5000/x", `"my_reg.example.com" is not the name of a registry`, ""},
		{"reg:99999/x", `"99999" is not the port`, ""},
		{"reg:05000/x", `"05000" is not the port`, ""},
		{"quay.io/<name>:t", `"<name>" is not the name of a repository`, "angle brackets"},
		{"quay.io/${REPO}", "lower case", "was not replaced"},
		{"quay.io/a:" + strings.Repeat("t", 129), "is not a tag", ""},
		{"quay.io/" + strings.Repeat("a", 256), "is not the name of a repository", ""},
		{strings.Repeat("a/", 5000) + "a", "10001 characters, more than the 1024", ""},
	} {
		_, err := ref.Parse(tt.in)
		e, ok := errors.AsType[*ref.ParseError](err)
		if !ok {
			t.Errorf("Parse(%.80q) = %v, want a *ParseError", tt.in, err)
			continue
		}
		if !strings.Contains(e.Reason, tt.reason) {
			t.Errorf("Parse(%.80q): %s, want reason %q", tt.in, e.Reason, tt.reason)
		}
		if !strings.Contains(e.Hint(), tt.hint) || (tt.hint == "" && strings.Contains(e.Hint(), "unset")) {
			t.Errorf("Parse(%.80q): hint %q, want %q", tt.in, e.Hint(), tt.hint)
		}
		if len(err.Error()) > 1000 {
			t.Errorf("Parse(%.80q): the error has %d characters", tt.in, len(err.Error()))
		}
	}
}

func TestPasswordsStayOutOfErrors(t *testing.T) {
	for _, in := range []string{"https://joe:s3cret@quay.io/x", "joe:s3cret@quay.io/x", "docker://joe:s3cret@quay.io/x"} {
		_, err := ref.Parse(in)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
}

func TestRequireRepository(t *testing.T) {
	for _, tt := range []struct{ in, want, hint string }{
		{"quay.io/a", "", ""},
		{"file://a:5000", "", ""},
		{"redis:7", "", ""},
		{"docker.io/library/mirror:5000", "", ""},
		{"mirror/x:5000", "", ""},
		{"mirror:70000", "", ""},
		{"mirror:5000", "looks like a registry", "mirror:5000/REPOSITORY, for the image on Docker Hub docker.io/library/mirror:5000"},
		{"mirror:443", "looks like a registry", ""},
		{"docker://mirror:5000", "looks like a registry", ""},
		{"registry.example.com:8443", "names a registry, but no repository", "registry.example.com:8443/REPOSITORY"},
		{"file://my.dir", "names a registry, but no repository", ""},
	} {
		err := ref.MustParse(tt.in).RequireRepository()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.in, err)
			}
			continue
		}
		e, ok := errors.AsType[*ref.ParseError](err)
		if !ok || !strings.Contains(e.Reason, tt.want) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: %v, want %q with hint %q", tt.in, err, tt.want, tt.hint)
		}
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"busybox":                          "docker.io/library/busybox",
		"docker.io/busybox:1":              "docker.io/library/busybox:1",
		"index.docker.io/a/b":              "docker.io/a/b",
		"a/b":                              "docker.io/a/b",
		"Quay.IO/a/b":                      "quay.io/a/b",
		"quay.io/x":                        "quay.io/x",
		"file://my.dir/index:t":            "file://index:t",
		"s3://minio/r/b/x":                 "s3://minio/r/b/x",
		"docker.io/library/x@" + hexDigest: "docker.io/library/x@" + hexDigest,
	} {
		if got := ref.MustParse(in).Canonical().String(); got != want {
			t.Errorf("Canonical(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestWith(t *testing.T) {
	r := ref.MustParse("quay.io/a/b:t@" + hexDigest)
	for _, tt := range []struct {
		got  ref.Ref
		want string
	}{
		{r.Repository(), "quay.io/a/b"},
		{r.WithTag("v1"), "quay.io/a/b:v1"},
		{r.WithTag("v1").WithDigest(digest), "quay.io/a/b@" + hexDigest},
		{r.Repository().WithPath("c"), "quay.io/c"},
		{r.Repository().WithDefaultTag(), "quay.io/a/b:latest"},
		{r.WithTag("v1").WithDefaultTag(), "quay.io/a/b:v1"},
		{r.WithDefaultTag(), "quay.io/a/b@" + hexDigest},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	if r.Tag != "t" || r.Digest != digest {
		t.Errorf("a With method changed its receiver: %+v", r)
	}
	if got := ref.MustParse("file://my.dir/a:t").Name(); got != "my.dir/a:t" {
		t.Errorf("Name = %s", got)
	}
	if ref.MustParse("quay.io/a:t") != ref.MustParse("docker://quay.io/a:t") {
		t.Error("two parses of one reference differ")
	}
}

func TestLooksEmpty(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, "/": true, ":": true, "reg.example.com/": true, "/repo": true, "quay.io//x:-": true,
		"quay.io/x:4.14.0-": true, "quay.io/x:-x86_64": true, "quay.io/x/:4.14.0-x86_64": true,
		"--to=x/y": true, "x:@sha256": true, "x/@sha256": true, "@sha256": true, "file://": true, ":/": true,
		"quay.io/x:4.14.0-x86_64": false, "file:///local/index": false, "docker://quay.io/x": false,
		"file://openshift/release:4.14.0*": false, "a-": false, "[::1]:5000/x": false, "reg:5000/x": false,
	} {
		why, got := ref.LooksEmpty(in)
		if got != want || got != (why != "") {
			t.Errorf("LooksEmpty(%q) = %q, %v, want %v", in, why, got, want)
		}
	}
}

func TestParsePattern(t *testing.T) {
	for in, want := range map[string]ref.Pattern{
		"file://openshift/release:4.14.1*": {Ref: ref.Ref{Scheme: ref.File, Path: "openshift/release"}, Glob: "4.14.1*"},
		"quay.io/a/b":                      {Ref: ref.Ref{Host: "quay.io", Path: "a/b"}, Glob: "*"},
		"reg:5000/a:*":                     {Ref: ref.Ref{Host: "reg:5000", Path: "a"}, Glob: "*"},
		"reg:5000/a:v1":                    {Ref: ref.Ref{Host: "reg:5000", Path: "a", Tag: "v1"}},
		"reg:5000/a@" + hexDigest:          {Ref: ref.Ref{Host: "reg:5000", Path: "a", Digest: digest}},
	} {
		got, err := ref.ParsePattern(in)
		if err != nil || got != want {
			t.Errorf("ParsePattern(%q) = %+v, %v, want %+v", in, got, err, want)
		}
		if again, err := ref.ParsePattern(got.String()); err != nil || again != got {
			t.Errorf("ParsePattern(%q) = %+v, %v, want %+v", got, again, err, got)
		}
	}
	for in, reason := range map[string]string{
		"a:b:c*":                         "two tags",
		"a:v[12]*":                       "only * is a wildcard",
		"reg.example.com:50*":            "no repository",
		"mirror:5000":                    "looks like a registry",
		"quay.io/a*:v1":                  "in the tag of a source only",
		"quay.io/a:v*@" + hexDigest:      "in the tag of a source only",
		"/x:*":                           "an element of the path is empty",
		"a:*" + strings.Repeat("t", 130): "is not a tag",
	} {
		_, err := ref.ParsePattern(in)
		if e, ok := errors.AsType[*ref.ParseError](err); !ok || !strings.Contains(e.Reason, reason) {
			t.Errorf("ParsePattern(%q): %v, want %q", in, err, reason)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		glob, tag string
		want      bool
	}{
		{"4.5.4*", "4.5.4-x86_64", true},
		{"4.5.4*", "4.5.4-x86_64-cli", true},
		{"4.5.4*", "4.5.40-x86_64", true},
		{"4.5.4*", "4.5.4", true},
		{"4.5.4*", "14.5.4", false},
		{"4.5.4*", "4x5y4", false},
		{"*", "", true},
		{"*-cli", "4.5.4-cli", true},
		{"*-cli", "4.5.4-cli-2", false},
		{"4*x86*cli", "4.1-x86_64-cli", true},
		{"4*x86*cli", "4.1-cli-x86_64", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*a", "aba", true},
		{"a**b", "ab", true},
		{"*ab*ab*", "xab", false},
		{"a*b*c", "xbc", false},
		{"a*b*c", "ac", false},
		{"v1", "v1", true},
		{"v1", "v1x", false},
	} {
		if got := (ref.Pattern{Glob: tt.glob}).Match(tt.tag); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.glob, tt.tag, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"quay.io/a/b:t", "mirror:5000", "file:///a/b:t", "file://my.dir/a", "s3://h/r/b/p:t", "docker://x",
		"a@" + hexDigest, "a:t@" + hexDigest, "[::1]:5000/a", "quay.io//x:-", "file://a:*", "joe:pw@quay.io/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ref.Parse(s)
		if err != nil {
			if _, ok := errors.AsType[*ref.ParseError](err); !ok || r != (ref.Ref{}) {
				t.Fatalf("Parse(%q) = %+v, %T", s, r, err)
			}
			_, _ = ref.ParsePattern(s)
			return
		}
		again, err := ref.Parse(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("Parse(%q) prints %q, which is %+v, %v", s, r, again, err)
		}
		if r.Tag == "" || r.Digest.IsZero() { // with both, the tag is not printed
			if again != r {
				t.Fatalf("Parse(%q) = %+v, and again %+v", s, r, again)
			}
		}
		if c := r.Canonical(); c != c.Canonical() {
			t.Fatalf("Canonical of %q is not stable: %+v", s, c)
		}
	})
}
