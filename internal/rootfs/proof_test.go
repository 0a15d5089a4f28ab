package rootfs_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// TestWrites has layers as builders make them that follow links: what is written
// to one path may lie at another. What is found is the same as when all is read.
func TestWrites(t *testing.T) {
	base, files := layer("1", "etc/x", "bin -> usr/bin", "usr/bin/sh", "var/tmp -> ../tmp"), layer("2", "configs/a", "configs/b")
	for _, c := range []struct {
		name   string
		path   string
		layers [][]byte // the base first
		writes [][]string
		want   map[string]string
		read   int // layers
	}{
		{
			"usual", "/configs/",
			[][]byte{base, files, layer("3", "usr/bin/opm"), layer("4", "usr/bin/probe"), layer("5", "tmp/cache/x")},
			[][]string{nil, {"/configs"}, {"/bin/opm"}, {"/bin/probe"}, {"/tmp/cache/"}},
			map[string]string{"a": "2", "b": "2"},
			2,
		},
		{"from nothing", "configs", [][]byte{files, layer("5", "tmp/cache/x")}, [][]string{{"/configs"}, {"/tmp/cache"}}, map[string]string{"a": "2", "b": "2"}, 1},
		{"nothing was written", "configs", [][]byte{base, files, layer("3")}, [][]string{nil, nil, {}}, map[string]string{"a": "2", "b": "2"}, 2},
		{"not as many as layers", "configs", [][]byte{base, layer("2", "configs/a")}, [][]string{{"/x"}}, map[string]string{"a": "2"}, 2},
		{
			"beside the path", "opt/configs",
			[][]byte{layer("1", "opt/configs/a"), layer("2", "opt/config/b"), layer("3", "opt/configs2/b")},
			[][]string{nil, {"/opt/config"}, {"/opt/configs2"}},
			map[string]string{"a": "1"},
			1,
		},
		{
			"at, below and above the path", "opt/configs",
			[][]byte{layer("1", "opt/configs/a"), layer("2", "opt/configs/b"), layer("3", "opt/configs/c/x"), layer("4", "opt/configs/d"), layer("5", "opt/configs/e")},
			[][]string{nil, {"/opt/configs"}, {"/tmp", "/opt/configs/c"}, {"/opt/"}, {"/"}},
			map[string]string{"a": "1", "b": "2", "c/x": "3", "d": "4", "e": "5"},
			5,
		},
		{"outside the image", "configs", [][]byte{layer("1", "configs/a"), layer("2", "configs/b")}, [][]string{nil, {"../x"}}, map[string]string{"a": "1", "b": "2"}, 2},
		{
			"over a link into the path", "configs",
			[][]byte{layer("1", "x/l -> ../configs/d"), files, layer("3", "configs/d/c")},
			[][]string{nil, nil, {"/x/l"}},
			map[string]string{"a": "2", "b": "2", "d/c": "3"},
			5,
		},
		{
			"over a link above the path", "opt/configs",
			[][]byte{layer("1", "x -> opt"), layer("2", "opt/configs/a"), layer("3", "opt/configs/b")},
			[][]string{nil, nil, {"/x/configs/b"}},
			map[string]string{"a": "2", "b": "3"},
			5,
		},
		{
			"a file is removed over a link", "configs",
			[][]byte{layer("1", "x -> configs"), files, layer("3", "configs/.wh.a")},
			[][]string{nil, nil, {"/x"}},
			map[string]string{"b": "2"},
			5,
		},
		{
			"over a link that goes down and up", "configs",
			[][]byte{layer("1", "x -> y/../z", "y -> /d/e", "d/z -> /configs"), files, layer("3", "configs/c")},
			[][]string{nil, nil, {"/x/c"}},
			map[string]string{"a": "2", "b": "2", "c": "3"},
			5,
		},
		{
			"over a link that goes down and up to the path", "d/z",
			[][]byte{layer("1", "x -> y/../z", "y -> /d/e"), layer("2", "d/e/f", "d/z/a"), layer("3", "d/z/c")},
			[][]string{nil, nil, {"/x/c"}},
			map[string]string{"a": "2", "c": "3"},
			5,
		},
		{
			"over a link of a skipped layer", "configs",
			[][]byte{layer("1", "opt/l -> /configs"), files, layer("3", "configs/c")},
			[][]string{{"/opt"}, nil, {"/opt/l/c"}},
			map[string]string{"a": "2", "b": "2", "c": "3"},
			2,
		},
		{
			"over a link of its own layer", "configs",
			[][]byte{base, files, layer("3", "opt/l -> /configs", "configs/c")},
			[][]string{nil, nil, {"/opt", "/opt/l/c"}},
			map[string]string{"a": "2", "b": "2", "c": "3"},
			3,
		},
		{
			"over a link to a link of a skipped layer", "configs",
			[][]byte{base, layer("2", "usr/bin/l -> /configs"), files, layer("3", "configs/c")},
			[][]string{nil, {"/usr/bin/l"}, nil, {"/bin/l/c"}},
			map[string]string{"a": "2", "b": "2", "c": "3"},
			6,
		},
		{
			"over links below", "configs",
			[][]byte{layer("1", "opt/l -> ../d"), layer("2", "d/m -> /configs"), files, layer("3", "configs/c")},
			[][]string{nil, {"/d"}, nil, {"/opt"}},
			map[string]string{"a": "2", "b": "2", "c": "3"},
			6,
		},
		{
			"the path is a link", "configs",
			[][]byte{layer("1", "configs -> data", "data/a"), layer("2", "data/b")},
			[][]string{nil, {"/data/b"}},
			map[string]string{"a": "1", "b": "2"},
			3,
		},
		{
			"links in the path", "configs",
			[][]byte{layer("1", "configs/l -> a", "configs/a", "configs/d -> ../opt/d"), layer("2", "opt/d")},
			[][]string{nil, {"/opt"}},
			map[string]string{"a": "1", "l": "1", "d": "2"},
			2,
		},
		{
			"layers that are not read may have links", "configs",
			[][]byte{layer("1", "x -> configs"), layer("2", "configs/", "configs/.wh..wh..opq", "configs/a"), layer("3", "configs/c")},
			[][]string{nil, nil, {"/x"}},
			map[string]string{"a": "2", "c": "3"},
			3,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, b := image(c.layers...)
			r.Writes = c.writes
			got, err := extract(t, r, c.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if len(b.opened) != c.read {
				t.Errorf("%d layers were read, want %d", len(b.opened), c.read)
			}
			whole, _ := image(c.layers...)
			if got, err = extract(t, whole, c.path); err != nil || !cmp.Equal(c.want, got) {
				t.Error("all layers have", got, err)
			}
		})
	}
}

// What is not found without the layers that were skipped is looked for in them.
func TestWritesElsewhere(t *testing.T) {
	r, b := image(layer("1", "etc/x"), layer("2", "bin/opm"))
	r.Writes = [][]string{nil, {"/bin"}}
	if _, err := extract(t, r, "configs"); !errors.Is(err, rootfs.ErrNotThere) || len(b.opened) != 3 {
		t.Error(err, len(b.opened))
	}
}

// A spool gets each layer that is read, and knows which are whole and right.
func TestSpool(t *testing.T) {
	upper, lower := layer("2", "configs/a"), layer("1", "configs/b", "etc/x")
	for name, c := range map[string]struct {
		damage bool
		glance bool
		whole  []bool
	}{
		"read":     {whole: []bool{true, true}},
		"damaged":  {damage: true, whole: []bool{true, false}},
		"given up": {glance: true, whole: []bool{true, false}},
	} {
		r, b := image(lower, upper)
		if c.damage {
			b.content[r.Layers[0].Digest] = append(lower[:len(lower)-1:len(lower)-1], lower[len(lower)-1]^1)
		}
		if c.glance {
			r, b = image(layer("1", "a/x", "tmp/x"), upper)
			r.Glance = func(layer int, _ bool) bool { return layer == 0 }
		}
		var whole []bool
		r.Spool = func(desc oci.Descriptor) (io.Writer, func(bool)) {
			var got bytes.Buffer
			return &got, func(all bool) {
				whole = append(whole, all)
				if all && !bytes.Equal(got.Bytes(), b.content[desc.Digest]) {
					t.Errorf("%s: %d bytes of %s", name, got.Len(), desc.Digest)
				}
			}
		}
		_, err := extract(t, r, "configs")
		if (err != nil) != c.damage || !cmp.Equal(whole, c.whole) {
			t.Error(name, err, whole)
		}
	}
}
