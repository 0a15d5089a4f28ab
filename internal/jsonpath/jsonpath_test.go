package jsonpath_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/jsonpath"
)

const document = `{
  "digest": "sha256:1", "size": 1234567, "half": 0.5, "yes": true, "none": null,
  "labels": {"a.b/c": "dotted", "it's": "quoted", "plain": "p"},
  "tags": [
    {"name": "cli", "from": {"name": "q/cli"}, "n": 1},
    {"name": "etcd", "from": {"name": "q/etcd"}, "n": 2, "extra": false},
    {"name": "pod", "from": {"name": "q/pod"}, "n": 3}
  ]
}`

func value(t testing.TB) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The results are those of kubectl get -o jsonpath for the same document.
func TestText(t *testing.T) {
	for template, want := range map[string]string{
		``:                                       ``,
		`plain text`:                             `plain text`,
		`{.digest}`:                              `sha256:1`,
		`.digest`:                                `sha256:1`,
		`$.digest`:                               `sha256:1`,
		`{$.digest}`:                             `sha256:1`,
		`{@.digest}`:                             `sha256:1`,
		`{ .digest }`:                            `sha256:1`,
		`a{.digest}b`:                            `asha256:1b`,
		`{.digest}{"\t"}{.yes}`:                  "sha256:1\ttrue",
		`{.digest "-" .yes}`:                     `sha256:1-true`,
		`{'it\'s'}`:                              `it's`,
		`{.half}`:                                `0.5`,
		`{.none}`:                                `null`,
		`{.missing.deeper}`:                      ``,
		`{.labels.plain}`:                        `p`,
		`{.labels.a\.b/c}`:                       `dotted`,
		`{.labels['a.b/c']}`:                     `dotted`,
		`{.labels["it's"]}`:                      `quoted`,
		`{.labels['plain','a.b/c']}`:             `p dotted`,
		`{.labels.*}`:                            `dotted quoted p`,
		`{.tags[0].name}`:                        `cli`,
		`{.tags[-1].name}`:                       `pod`,
		`{.tags[9].name}`:                        ``,
		`{.tags[*].name}`:                        `cli etcd pod`,
		`{.tags[1:].name}`:                       `etcd pod`,
		`{.tags[:-1].name}`:                      `cli etcd`,
		`{.tags[0:3:2].name}`:                    `cli pod`,
		`{.tags[0,2].name}`:                      `cli pod`,
		`{.tags[0].from}`:                        `{"name":"q/cli"}`,
		`{.tags[?(@.name=="etcd")].from.name}`:   `q/etcd`,
		`{.tags[?(@.name == 'etcd')].from.name}`: `q/etcd`,
		`{.tags[?(@.name!="etcd")].name}`:        `cli pod`,
		`{.tags[?(@.n>1)].name}`:                 `etcd pod`,
		`{.tags[?(@.n<=2)].name}`:                `cli etcd`,
		`{.tags[?(@.extra)].name}`:               `etcd`,
		`{.tags[?(@.extra==false)].name}`:        `etcd`,
		`{.tags[?(@.from.name=="q/pod")].n}`:     `3`,
		`{.tags[?(@.from[?(@=="q/pod")])].n}`:    `3`,
		`{..name}`:                               `cli q/cli etcd q/etcd pod q/pod`,
		`{range .tags[*]}{.name}={.from.name}{"\n"}{end}`:   "cli=q/cli\netcd=q/etcd\npod=q/pod\n",
		`{range .tags[*]}{.name}:{$.digest} {end}.`:         "cli:sha256:1 etcd:sha256:1 pod:sha256:1 .",
		`{range .tags[*]}{range .from.*}{@}{","}{end}{end}`: "q/cli,q/etcd,q/pod,",
	} {
		parsed, err := jsonpath.Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		got, err := parsed.Text(value(t), jsonpath.Options{})
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", template, got, want, err)
		}
	}
}

func TestStrictMissesNothing(t *testing.T) {
	for template, want := range map[string]string{
		`{.missing}`:       "missing is not found",
		`{.tags[7]}`:       "there is no element 7",
		`{.tags.name}`:     "name is not found",
		`{.tags['n','m']}`: "n is not found",
	} {
		parsed, err := jsonpath.Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Text(value(t), jsonpath.Options{Strict: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", template, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	parsed, err := jsonpath.Parse(`x{.tags[*].n}y{.none}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsed.Values(value(t), jsonpath.Options{})
	if diff := cmp.Diff([]any{1.0, 2.0, 3.0, nil}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestParseErrors(t *testing.T) {
	for template, want := range map[string]string{
		`{`:                                   "} is missing",
		`{.a`:                                 "} is missing",
		`{.a[}`:                               "] is missing",
		`{.a[x]}`:                             `"x" is no index`,
		`{.a[]}`:                              `"" is no index`,
		`{.a[1:2:3:4]}`:                       "is no slice",
		`{.a[::0]}`:                           "does not step forward",
		`{.a['b]}`:                            "' is missing",
		`{"\q"}`:                              "is no escape",
		`{range .a[*]}{.b}`:                   "{range} without {end}",
		`{end}`:                               "{end} without {range}",
		`{..}`:                                "a name is missing",
		`{a}`:                                 "is no path",
		`{.a[?(@.b)}`:                         "] is missing",
		`{.a[?(@.b=~"x")]}`:                   ") is missing",
		`{.a[?(@.b==x)]}`:                     `"x" is no value`,
		`{.a[?(`:                              "a value is missing",
		"{" + strings.Repeat(".a", 300) + "}": "more than 200 steps",
		strings.Repeat("{range .a}", 100) + strings.Repeat("{end}", 100):      "ranges in each other",
		"{.a" + strings.Repeat("[?(@", 100) + strings.Repeat(")]", 100) + "}": "filters in each other",
		strings.Repeat("x", 1<<17): "more than 65536",
	} {
		if _, err := jsonpath.Parse(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", template, err, want)
		}
	}
}

func TestNumbersAreComparedWhateverTheirType(t *testing.T) {
	parsed, err := jsonpath.Parse(`{[?(@==2)]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsed.Text([]any{int64(2), 2, 2.0, "2", nil, map[string]any{}, []any{}}, jsonpath.Options{})
	if got != "2 2 2" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// What grows with each step is stopped.
func TestTooManyValues(t *testing.T) {
	parsed, err := jsonpath.Parse(`{` + strings.Repeat(`[*,*,*,*,*,*,*,*]`, 1) + strings.Repeat(`..*`, 30) + `}`)
	if err != nil {
		t.Fatal(err)
	}
	var v any = "leaf"
	for range 40 {
		v = []any{v}
	}
	if _, err := parsed.Text(v, jsonpath.Options{}); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{.a}`, `{range .tags[*]}{.name}{"\n"}{end}`, `{..name}`, `{.tags[?(@.n>1)].name}`, `{.a[1:2]['x',"y"]}`, `a\.b`} {
		f.Add(seed)
	}
	v := value(f)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := jsonpath.Parse(text)
		if err != nil || strings.Count(text, "..")+strings.Count(text, ",") > 4 {
			return
		}
		_, _ = parsed.Text(v, jsonpath.Options{})
		_, _ = parsed.Values(v, jsonpath.Options{Strict: true})
	})
}
