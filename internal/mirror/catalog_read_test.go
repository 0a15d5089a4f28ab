package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

const indexAt = "src.test/catalogs/index:v4.14"

// watching notes the blobs that are opened.
type watching struct {
	repo.Registry
	mu     sync.Mutex
	opened []oci.Digest
}

func (r *watching) Repo(name string) (repo.Repo, error) {
	rp, err := r.Registry.Repo(name)
	return &watchedRepo{rp, r}, err
}

type watchedRepo struct {
	repo.Repo
	r *watching
}

func (r *watchedRepo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	r.r.mu.Lock()
	r.r.opened = append(r.r.opened, d)
	r.r.mu.Unlock()
	return r.Repo.OpenBlob(ctx, d, offset)
}

// indexWorld is a world whose source has an index image.
func indexWorld(t *testing.T, spec sample.CatalogSpec) (*world, *sample.Catalog, *watching) {
	w := newWorld(t)
	c := sample.New(7).Catalog(spec)
	w.push(indexAt, c.Index)
	seen := &watching{Registry: w.hosts["src.test"]}
	w.hosts["src.test"] = seen
	w.regs.hosts = map[string]repo.Registry{}
	return w, c, seen
}

// readIndex reads a catalog into a directory, "" for one of its own.
func readIndex(w *world, o IndexOptions, dir string) (*ExtractedCatalog, *catalog.Catalog, error) {
	w.t.Helper()
	x, err := FindIndex(w.t.Context(), w.regs, ref.MustParse(indexAt), o)
	if err != nil {
		return nil, nil, err
	}
	e, err := x.Extract(w.t.Context(), dir)
	if err != nil {
		return nil, nil, err
	}
	w.t.Cleanup(func() { _ = e.Close() })
	c, problems, err := e.Catalog(w.t.Context())
	for _, p := range problems {
		w.t.Error(p)
	}
	return e, c, err
}

func sameRefs(t *testing.T, c *catalog.Catalog, made *sample.Catalog) {
	t.Helper()
	var got, want []string
	for _, image := range c.Images() {
		got = append(got, image.Ref)
	}
	for _, image := range made.Images {
		want = append(want, image.Ref)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("images %v\nwant %v", got, want)
	}
}

func TestReadCatalogOfEveryForm(t *testing.T) {
	both := []oci.Platform{sample.ARM64, sample.AMD64}
	for _, c := range []struct {
		name   string
		spec   sample.CatalogSpec
		o      IndexOptions
		form   CatalogForm
		path   string
		layers int // of three
	}{
		{"files", sample.CatalogSpec{Tagged: true}, IndexOptions{}, CatalogFiles, "/configs/", 3},
		{"docker", sample.CatalogSpec{Format: sample.Docker}, IndexOptions{}, CatalogFiles, "/configs/", 3},
		{"quick", sample.CatalogSpec{}, IndexOptions{Quick: true}, CatalogFiles, "/configs/", 2},
		{"database", sample.CatalogSpec{SQLite: true}, IndexOptions{}, CatalogDatabase, "/database/index.db", 2},
		{"no label", sample.CatalogSpec{SQLite: true, NoLabel: true}, IndexOptions{}, CatalogDatabase, "/", 3},
		{"files without a label", sample.CatalogSpec{NoLabel: true}, IndexOptions{Path: "/configs"}, CatalogFiles, "/configs", 3},
		{"a database without a label", sample.CatalogSpec{SQLite: true, NoLabel: true}, IndexOptions{Path: "/database/"}, CatalogDatabase, "/database/", 3},
		{"list, any", sample.CatalogSpec{Platforms: both}, IndexOptions{}, CatalogFiles, "/configs/", 3},
		{"list, chosen", sample.CatalogSpec{Platforms: both}, IndexOptions{Filter: filter(t, "linux/arm64")}, CatalogFiles, "/configs/", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, made, seen := indexWorld(t, c.spec)
			e, got, err := readIndex(w, c.o, "")
			if err != nil {
				t.Fatal(err)
			}
			sameRefs(t, got, made)
			if e.Form != c.form || e.index.Path != c.path || e.index.Digest() != made.Index.Desc.Digest {
				t.Errorf("form %d, path %s", e.Form, e.index.Path)
			}
			if n := len(seen.opened) - 1; n != c.layers { // but the config
				t.Errorf("%d layers were read, want %d", n, c.layers)
			}
			want := oci.Platform{OS: "linux", Architecture: "amd64"}
			if c.o.Filter.String() == "linux/arm64" {
				want.Architecture = "arm64"
			}
			if e.index.Image.Platform().String() != want.String() {
				t.Error("platform", e.index.Image.Platform())
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(e.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Error("the directory is left behind")
			}
		})
	}
}

func TestReadCatalogOfMedia(t *testing.T) {
	w, made, _ := indexWorld(t, sample.CatalogSpec{})
	if _, err := w.regs.Place(ref.MustParse("file://local/index"), Writing); err != nil {
		t.Fatal(err)
	}
	rp, err := openDestination(w, "file://local/index")
	if err == nil {
		err = made.Index.Push(t.Context(), rp, "v4.14")
	}
	if err != nil {
		t.Fatal(err)
	}
	x, err := FindIndex(t.Context(), w.regs, ref.MustParse("file://local/index:v4.14"), IndexOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := x.Extract(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, _, err := e.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sameRefs(t, c, made)
}

func openDestination(w *world, at string) (repo.Repo, error) {
	place, err := w.regs.Place(ref.MustParse(at), Writing)
	if err != nil {
		return nil, err
	}
	reg, err := w.regs.Find(w.t.Context(), place.Registry)
	if err != nil {
		return nil, err
	}
	return reg.Repo(place.Repo)
}

// A directory of the user's is made and kept, and what was in it before is
// neither lost nor part of the catalog.
func TestExtractCatalogToDirectory(t *testing.T) {
	w, made, _ := indexWorld(t, sample.CatalogSpec{})
	dir := filepath.Join(t.TempDir(), "new", "dir")
	if _, _, err := readIndex(w, IndexOptions{}, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte("no: [catalog"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, c, err := readIndex(w, IndexOptions{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	sameRefs(t, c, made)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range entries {
		names = append(names, d.Name())
	}
	if got := strings.Join(names, " "); got != ".indexignore README.md mine.yaml operator-000 operator-001 operator-002" {
		t.Error(got)
	}
}

func TestReadCatalogErrors(t *testing.T) {
	both := []oci.Platform{sample.ARM64, sample.AMD64}
	for _, c := range []struct {
		name string
		spec sample.CatalogSpec
		o    IndexOptions
		text string
	}{
		{"several", sample.CatalogSpec{Platforms: both}, IndexOptions{Filter: filter(t, "linux/.*")}, "contains multiple images - use --index-filter-by-os to select from: linux/arm64"},
		{"none", sample.CatalogSpec{Platforms: both}, IndexOptions{Filter: filter(t, "linux/s390x")}, "contains no image that --index-filter-by-os matches"},
		{"path", sample.CatalogSpec{}, IndexOptions{Path: "/nowhere"}, "it holds no operator catalog: /nowhere: the image does not have it"},
		{"no label", sample.CatalogSpec{NoLabel: true}, IndexOptions{}, "it has no database of a catalog, and no label"},
	} {
		w, _, _ := indexWorld(t, c.spec)
		dir := t.TempDir()
		_, _, err := readIndex(w, c.o, dir)
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), indexAt) {
			t.Errorf("%s: %v", c.name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v is left", c.name, left)
		}
		several, ok := errors.AsType[*IndexPlatformError](err)
		if ok && (!strings.Contains(several.Table(), "DIGEST") || !strings.Contains(several.Hint(), "--index-filter-by-os=")) {
			t.Error(several.Table(), several.Hint())
		}
		if c.o.Filter.All() == ok {
			t.Errorf("%s: %T", c.name, err)
		}
	}
}

// Damage is told, and nothing of it is used or left.
func TestReadCatalogThatIsDamaged(t *testing.T) {
	w, _, _ := indexWorld(t, sample.CatalogSpec{LayerSize: 200_000})
	w.hosts["src.test"] = &spoiling{Registry: w.hosts["src.test"], spoil: func(p []byte) error { p[0] ^= 1; return nil }}
	w.regs.hosts = map[string]repo.Registry{}
	dir := t.TempDir()
	_, _, err := readIndex(w, IndexOptions{}, dir)
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Error(left)
	}
}

// A quick look goes by the history, as far as that tells. Layers in brackets are
// read as far as needed.
func TestQuickLookAtLayers(t *testing.T) {
	base, binary := `{"created_by":"ADD file:0 in / "}`, `{"created_by":"COPY /bin/opm /bin/opm # buildkit"}`
	files, more := `{"created_by":"ADD dir:1 in /configs "}`, `{"created_by":"COPY more /configs/more # buildkit"}`
	cache, label := `{"created_by":"RUN /bin/opm serve /configs --cache-dir=/tmp/cache --cache-only"}`, `{"created_by":"LABEL x=/configs","empty_layer":true}`
	squashed := `{"created_by":"COPY configs /configs","empty_layer":true},{"created_by":"CMD"}`
	grouped := strings.ReplaceAll(files+","+cache, "}", `,"empty_layer":true}`) + `,{"created_by":"/bin/sh -c #(nop) LABEL x=/configs"}`
	command := `{"created_by":"CMD [\"serve\", \"/configs\"]","empty_layer":true}`
	for name, c := range map[string]struct {
		history []string
		layers  int
		found   int // the layer that has the catalog
		read    string
	}{
		"usual":      {[]string{base, binary, files, cache, label}, 4, 2, "2"},
		"two":        {[]string{base, files, binary, more}, 4, 1, "31"},
		"squashed":   {[]string{base, squashed, binary}, 3, 1, "1"},
		"grouped":    {[]string{base, grouped}, 2, 1, "1"},
		"settings":   {[]string{base, files, command, label, cache}, 3, 1, "1"},
		"appended":   {[]string{base, files, cache, `{}`, `{}`}, 5, 3, "[4][3]1"},
		"silent":     {[]string{base, binary, binary}, 3, 1, "[2][1]"},
		"incomplete": {[]string{base, files}, 3, 1, "[2][1][0]"},
		"none":       {nil, 2, 1, "[1][0]"},
		"one layer":  {nil, 1, 0, "0"},
	} {
		config, err := img.ParseConfig([]byte(`{"history":[` + strings.Join(c.history, ",") + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		x := &Index{Path: "/configs/", Image: &img.Image{Config: config, Layers: make([]oci.Descriptor, c.layers)}}
		read := ""
		skip, glance := x.quick()
		for layer := c.layers - 1; layer >= 0; layer-- {
			switch {
			case skip(layer, layer < c.found):
			case glance(layer, layer < c.found):
				read += fmt.Sprintf("[%d]", layer)
			default:
				read += strconv.Itoa(layer)
			}
		}
		if read != c.read {
			t.Errorf("%s: layers %s are read, want %s", name, read, c.read)
		}
	}
}
