package mirror

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// historyEntry is an entry of an image's history: a step alone, or one that made
// no layer.
type historyEntry struct {
	CreatedBy  string `json:"created_by,omitempty"`
	EmptyLayer bool   `json:"empty_layer,omitempty"`
}

func withHistory(t *testing.T, layers int, history ...historyEntry) *img.Image {
	t.Helper()
	body, err := json.Marshal(map[string]any{"history": history})
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ParseConfig(body)
	if err != nil {
		t.Fatal(err)
	}
	return &img.Image{Config: config, Layers: make([]oci.Descriptor, layers)}
}

// What the steps of builders wrote to. "?" is not known, "" nothing.
func TestStepWrites(t *testing.T) {
	for text, want := range map[string]string{
		// BuildKit
		"COPY configs /configs # buildkit":                                                 "/configs",
		"COPY --chown=1001:0 --chmod=755 /bin/opm /bin/opm # buildkit":                     "/bin/opm",
		"COPY --parents a/b /x/ # buildkit":                                                "/x/",
		"COPY <<EOF /etc/motd # buildkit":                                                  "/etc/motd",
		"RUN /bin/opm serve /configs --cache-dir=/tmp/cache --cache-only # buildkit":       "/tmp/cache",
		"RUN /bin/sh -c opm serve /configs --cache-dir=/tmp/cache --cache-only # buildkit": "/tmp/cache",
		"COPY configs / # buildkit":                                                        "?",
		"COPY configs ./configs # buildkit":                                                "?",
		"COPY configs configs # buildkit":                                                  "?",
		"COPY a b /x/ # buildkit":                                                          "?",
		"COPY a /configs/my /x # buildkit":                                                 "?", // one path with a space, or two sources
		"COPY *.json /x/ # buildkit":                                                       "?",
		"COPY a /x/../configs # buildkit":                                                  "?",
		"COPY a /$DIR # buildkit":                                                          "?",
		"COPY /x # buildkit":                                                               "?",
		"ADD configs.tar /x # buildkit":                                                    "?",
		"RUN /bin/sh -c cp -r a /x # buildkit":                                             "?",
		"RUN |1 A=b /bin/sh -c opm serve /configs --cache-dir=/tmp/cache --cache-only # buildkit": "?",
		// Docker's classic builder, and buildah
		"/bin/sh -c #(nop) COPY dir:0a1b in /configs ":                                                            "/configs",
		"/bin/sh -c #(nop) COPY file:0a1b in /bin/opm":                                                            "/bin/opm",
		"/bin/sh -c #(nop) COPY --chown=1001:0file:0a1b in /x/ ":                                                  "/x/",
		"/bin/sh -c #(nop) COPY --link dir:0a1b in /x     |clamp-mtime=1700000000 ":                               "/x",
		"/bin/sh -c #(nop) ADD dir:0a1b in /configs ":                                                             "/configs",
		"/bin/opm serve /configs --cache-dir=/tmp/cache --cache-only":                                             "/tmp/cache",
		"/bin/sh -c /bin/opm serve /configs --cache-dir=/tmp/cache --cache-only":                                  "/tmp/cache",
		`/bin/sh -c ["/bin/opm", "serve", "/configs", "--cache-dir=/tmp/cache", "--cache-only"]`:                  "/tmp/cache",
		`/bin/sh -c #(nop)  LABEL operators.operatorframework.io.index.configs.v1=/configs`:                       "",
		`/bin/sh -c #(nop)  CMD ["serve" "/configs"]`:                                                             "",
		"COPY dir:0a1b in /configs":                                                                               "?",
		"RUN /bin/cp serve /configs --cache-dir=/tmp/cache --cache-only # buildkit":                               "?",
		"RUN /bin/opm render /configs --cache-dir=/tmp/cache --cache-only # buildkit":                             "?",
		"RUN /bin/opm serve /configs --cache-dir=/tmp/cache --debug # buildkit":                                   "?",
		"/bin/sh -c #(nop) WORKDIR /configs":                                                                      "",
		"/bin/sh -c #(nop) ADD file:0a1b in / ":                                                                   "?",
		"/bin/sh -c #(nop) ADD file:0a1b in /x ":                                                                  "?",
		"/bin/sh -c #(nop) ADD multi:0a1b in /x/ ":                                                                "?",
		"/bin/sh -c #(nop) COPY multi:0a1b in /x/ ":                                                               "?",
		"/bin/sh -c #(nop) COPY dir:0a1b in /my configs ":                                                         "?",
		"/bin/sh -c #(nop) COPY dir:0a1b in $DIR ":                                                                "?",
		"/bin/sh -c #(nop) COPY dir:0a1b in configs ":                                                             "?",
		"/bin/sh -c #(nop) COPY dir:0a1b in /x some=annotation":                                                   "?",
		`/bin/sh -c #(nop) ADD dir:0a1b in /",`:                                                                   "?",
		"/bin/sh -c echo #(nop) COPY dir:0a1b in /x":                                                              "?",
		"/bin/opm serve /configs --cache-dir=/tmp/cache --cache-only --debug":                                     "?",
		"/bin/opm serve /configs --cache-dir=/tmp/cache":                                                          "?",
		"/bin/opm serve /configs --cache-dir=cache --cache-only":                                                  "?",
		"/bin/sh -c /bin/opm serve /configs --cache-dir=/tmp/cache --cache-only && cp -r x /configs":              "?",
		"/bin/sh -c /bin/opm serve /configs --cache-dir=/tmp/cache;cp${IFS}x${IFS}/configs --cache-only":          "?",
		"/bin/sh -c /bin/opm serve $(cp${IFS}x${IFS}/configs) --cache-dir=/tmp/cache --cache-only":                "?",
		`/bin/sh -c ["/bin/opm", "serve", "/configs", "--cache-dir=/tmp/cache", "--cache-only"] && cp x /configs`: "?",
		// Others, whose layers may have more than the step that is named
		"":                          "?",
		"COPY configs /configs":     "?",
		"LABEL a=b":                 "?",
		"WORKDIR /x":                "?",
		"bazel build ...":           "?",
		"/bin/sh":                   "?",
		"/bin/sh -c #(nop) UNHEARD": "?",
	} {
		paths := layerWrites(withHistory(t, 1, historyEntry{CreatedBy: text}))[0]
		got := "?"
		if paths != nil {
			got = ""
			for _, p := range paths {
				got += p
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Steps that make no layer belong to the next, and one that does not tell spoils it.
func TestLayerWrites(t *testing.T) {
	base := historyEntry{CreatedBy: "/bin/sh -c #(nop) ADD file:0a1b in / "}
	files, binary := historyEntry{CreatedBy: "COPY configs /configs # buildkit"}, historyEntry{CreatedBy: "COPY opm /bin/opm # buildkit"}
	env, label := historyEntry{"ENV A=b", true}, historyEntry{CreatedBy: "/bin/sh -c #(nop) LABEL a=b"}
	part := func(text string) historyEntry { return historyEntry{text, true} }
	for name, c := range map[string]struct {
		layers  int
		history []historyEntry
		want    [][]string
	}{
		"usual":       {3, []historyEntry{base, env, files, binary, env}, [][]string{nil, {"/configs"}, {"/bin/opm"}}},
		"one layer":   {1, []historyEntry{part("/bin/sh -c #(nop) COPY dir:0a in /configs"), part("/bin/sh -c #(nop) COPY file:0a in /bin/opm"), label}, [][]string{{"/configs", "/bin/opm"}}},
		"a part runs": {1, []historyEntry{part("/bin/sh -c #(nop) COPY dir:0a in /configs"), part("/bin/sh -c rm -r /x"), label}, [][]string{nil}},
		"settings":    {1, []historyEntry{env, label}, [][]string{{}}},
		"squashed":    {1, []historyEntry{part(files.CreatedBy), {}}, [][]string{nil}},
		"too few":     {2, []historyEntry{files}, [][]string{nil, nil}},
		"too many":    {1, []historyEntry{files, binary}, [][]string{nil}},
		"none":        {2, nil, [][]string{nil, nil}},
	} {
		if d := cmp.Diff(c.want, layerWrites(withHistory(t, c.layers, c.history...))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if got := layerWrites(&img.Image{Layers: make([]oci.Descriptor, 1)}); !slices.EqualFunc(got, [][]string{nil}, func(a, b []string) bool { return a == nil && b == nil }) {
		t.Error("without a config:", got)
	}
}
