package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// tarred makes a gzipped layer of "name=content", "name>symlink",
// "name|hardlink" and "name/".
func tarred(t *testing.T, entries ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, e := range entries {
		i := strings.IndexAny(e, "=>|")
		h := &tar.Header{Name: e, Typeflag: tar.TypeDir, Mode: 0o755}
		body := ""
		if i > 0 {
			h.Name, body = e[:i], e[i+1:]
			h.Typeflag = map[byte]byte{'=': tar.TypeReg, '>': tar.TypeSymlink, '|': tar.TypeLink}[e[i]]
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(body))
		} else {
			h.Linkname, body = body, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// reading reads files out of layers, the lowest first, and says what it got.
type reading struct {
	src      *fake
	layers   []oci.Descriptor
	got      map[string]string
	verified int
}

func newReading(layers ...[]byte) *reading {
	r := &reading{src: newFake(), got: map[string]string{}}
	for _, l := range layers {
		r.layers = append(r.layers, r.src.blob(oci.MediaTypeOCILayerGzip, l))
	}
	return r
}

func (r *reading) read(t *testing.T, paths ...string) (missing []string, err error) {
	t.Helper()
	fr := &release.FileReader{
		Source: r.src, Name: "test", Layers: r.layers,
		Found: func(f release.ImageFile, content io.Reader) error {
			body, err := io.ReadAll(content)
			if _, twice := r.got[f.Path]; twice {
				t.Errorf("%s comes twice", f.Path)
			}
			r.got[f.Path] = string(body)
			return err
		},
		Verified: func() error { r.verified++; return nil },
	}
	return fr.ReadFiles(t.Context(), paths...)
}

func TestReadFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		layers [][]string // the lowest first
		path   string
		want   string // "" for missing
	}{
		"top wins":                 {[][]string{{"a/b=low"}, {"a/b=high"}}, "a/b", "high"},
		"below":                    {[][]string{{"a/b=low"}, {"a/c=high"}}, "a/b", "low"},
		"dots and slashes":         {[][]string{{"./a//b=x"}}, "a/b", "x"},
		"absolute":                 {[][]string{{"/a/b=x"}}, "a/b", "x"},
		"outside":                  {[][]string{{"../a/b=x", "b=y"}}, "a/b", ""},
		"missing":                  {[][]string{{"a/b=x"}}, "a/c", ""},
		"directory":                {[][]string{{"a/b/"}}, "a/b", ""},
		"removed":                  {[][]string{{"a/b=x"}, {"a/.wh.b="}}, "a/b", ""},
		"removed and new":          {[][]string{{"a/b=x"}, {"a/b=y", "a/.wh.b="}}, "a/b", "y"},
		"removed then new":         {[][]string{{"a/b=x"}, {"a/.wh.b=", "a/b=y"}}, "a/b", "y"},
		"other removed":            {[][]string{{"a/b=x"}, {"a/.wh.bb=", "b/.wh.b="}}, "a/b", "x"},
		"parent removed":           {[][]string{{"a/b/c=x"}, {".wh.a="}}, "a/b/c", ""},
		"opaque":                   {[][]string{{"a/b/c=x"}, {"a/.wh..wh..opq="}}, "a/b/c", ""},
		"opaque root":              {[][]string{{"a=x"}, {".wh..wh..opq="}}, "a", ""},
		"removed without a name":   {[][]string{{"a/b=x", "c=y"}, {"a/.wh.="}}, "a/b", ""},
		"elsewhere without a name": {[][]string{{"a/b=x", "c=y"}, {"a/.wh.="}}, "c", "y"},
		"all without a name":       {[][]string{{"a/b=x"}, {".wh.="}}, "a/b", ""},
		"root is a file":           {[][]string{{"a/b=x"}, {".=y"}}, "a/b", "x"},
		"root is a link":           {[][]string{{"a/b=x"}, {".>a", "/>a"}}, "a/b", "x"},
		"link to the root":         {[][]string{{"a>/", "b=x"}}, "a/b", "x"},
		"opaque elsewhere":         {[][]string{{"a/b=x"}, {"aa/.wh..wh..opq=", "a/b/.wh..wh..opq="}}, "a/b", "x"},
		"symlink":                  {[][]string{{"a/real=x", "a/b>real"}}, "a/b", "x"},
		"symlink up":               {[][]string{{"a/c/b>../../d/real", "d/real=x"}}, "a/c/b", "x"},
		"symlink absolute":         {[][]string{{"d/real=x"}, {"a/b>/d/real"}}, "a/b", "x"},
		"symlink to a new one":     {[][]string{{"a/b>real", "a/real=old"}, {"a/real=new"}}, "a/b", "new"},
		"symlink over the top":     {[][]string{{"b>../../../etc/x", "etc/x=inside"}}, "b", "inside"},
		"symlink to nothing":       {[][]string{{"a/b>none"}}, "a/b", ""},
		"symlink of a parent":      {[][]string{{"usr/bin/oc=x"}, {"bin>usr/bin"}}, "bin/oc", "x"},
		"parent in a parent":       {[][]string{{"real/bin/oc=x", "usr>/real", "bin>usr/bin"}}, "bin/oc", "x"},
		"directory over link":      {[][]string{{"a>other", "other/b=x"}, {"a/"}}, "a/b", ""},
		"file over directory":      {[][]string{{"a/b=x"}, {"a=file"}}, "a/b", ""},
		"hard link":                {[][]string{{"a/real=x", "a/b|a/real"}}, "a/b", "x"},
		"hard link to the old":     {[][]string{{"a/real=old", "a/b|./a/real"}, {"a/real=new"}}, "a/b", "old"},
		"hard link outside":        {[][]string{{"a/b|../x"}}, "a/b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var layers [][]byte
			for _, l := range tt.layers {
				layers = append(layers, tarred(t, l...))
			}
			r := newReading(layers...)
			missing, err := r.read(t, tt.path)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := r.got[tt.path]
			if ok != (tt.want != "") || got != tt.want || ok == (len(missing) == 1) {
				t.Errorf("got %q, missing %v", got, missing)
			}
		})
	}
}

func TestReadFilesTogetherAndNoMoreThanNeeded(t *testing.T) {
	r := newReading(tarred(t, "z=never"), tarred(t, "a=1", "b=2", "s>t"), tarred(t, "c=3", "t=4"))
	missing, err := r.read(t, "a", "c", "s", "b")
	if err != nil || len(missing) > 0 {
		t.Fatal(missing, err)
	}
	if got := slices.Sorted(maps.Values(r.got)); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("got %v", r.got)
	}
	if _, opened := r.src.read[r.layers[0].Digest]; opened {
		t.Error("the layer below was opened")
	}
	if r.verified != 3 { // two layers, and the upper one again for what the link means
		t.Errorf("verified %d times", r.verified)
	}
}

func TestReadFilesIsNotMisledByLinks(t *testing.T) {
	_, err := newReading(tarred(t, "a>b", "b>a")).read(t, "a")
	if err == nil || !strings.Contains(err.Error(), "behind more than 16 links") {
		t.Errorf("circle: %v", err)
	}
	_, err = newReading(tarred(t, "a>a/b")).read(t, "a/c")
	if err == nil || !strings.Contains(err.Error(), "limit exceeded") {
		t.Errorf("ever deeper: %v", err)
	}
}

// Wrong content is told as such, after whatever it made the archive look like,
// and no file of it is called verified.
func TestReadFilesOfDamagedLayers(t *testing.T) {
	noise := make([]byte, 256<<10) // does not compress: more than is withheld of what is not verified yet
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	big := string(noise)
	layer := tarred(t, "first=x", "a="+big, "last="+big)
	for name, damage := range map[string]func([]byte) []byte{
		"a byte":         func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"the last byte":  func(b []byte) []byte { b[len(b)-1] ^= 4; return b },
		"cut":            func(b []byte) []byte { return b[:len(b)/2] },
		"other archive":  func([]byte) []byte { return tarred(t, "a=evil") },
		"longer":         func(b []byte) []byte { return append(b, 0) },
		"no archive":     func(b []byte) []byte { clear(b); return b },
		"the first byte": func(b []byte) []byte { b[0]++; return b },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReading(layer)
			r.src.blobs[r.layers[0].Digest] = damage(bytes.Clone(layer))
			_, err := r.read(t, "a")
			if _, corrupt := errors.AsType[*repo.CorruptError](err); !corrupt || r.verified != 0 {
				t.Errorf("verified %d times, %v", r.verified, err)
			}
		})
	}
	r := newReading(bytes.Repeat([]byte("no archive "), 1000))
	if _, err := r.read(t, "a"); err == nil || !strings.Contains(err.Error(), "reading layer") {
		t.Errorf("a layer that is none: %v", err)
	}
}

func TestReadFilesStopsWithWhoeverTakesThem(t *testing.T) {
	r := newReading(tarred(t, "a="+strings.Repeat("x", 1<<20)))
	full := errors.New("disk full")
	fr := &release.FileReader{
		Source: r.src, Name: "test", Layers: r.layers,
		Found:    func(release.ImageFile, io.Reader) error { return full },
		Verified: func() error { t.Error("verified"); return nil },
	}
	if _, err := fr.ReadFiles(t.Context(), "a"); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

func FuzzReadFiles(f *testing.F) {
	f.Add("a/b>c\na/c=x", "d|a/b", "a/b")
	f.Add("a/.wh.b=\n.wh..wh..opq=", "a>../..", "a/b/c")
	f.Fuzz(func(t *testing.T, low, high, p string) {
		var layers [][]byte
		for _, l := range []string{low, high} {
			var buf bytes.Buffer
			w := tar.NewWriter(&buf)
			for e := range strings.SplitSeq(l, "\n") {
				i := strings.IndexAny(e, "=>|")
				if i < 0 {
					continue
				}
				h := &tar.Header{Name: e[:i], Typeflag: map[byte]byte{'=': tar.TypeReg, '>': tar.TypeSymlink, '|': tar.TypeLink}[e[i]], Linkname: e[i+1:]}
				if w.WriteHeader(h) != nil {
					return
				}
			}
			_ = w.Close()
			layers = append(layers, buf.Bytes())
		}
		_, _ = newReading(layers...).read(t, p)
	})
}
