package mirror

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// rebuilt selects a package of the catalog at indexAt, and rebuilds the image.
func rebuilt(t *testing.T, w *world, want string) *RebuiltIndex {
	t.Helper()
	e, c, err := readIndex(w, IndexOptions{}, "")
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := catalog.ParseWanted(want)
	if err != nil {
		t.Fatal(err)
	}
	reduced, _, err := catalog.Select(c, []catalog.Wanted{wanted}, catalog.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Rebuild(t.Context(), w.regs, reduced)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packageNames reads the catalog of an image at dst.test.
func packageNames(t *testing.T, w *world, o IndexOptions) (names []string, bundles int) {
	t.Helper()
	x, err := FindIndex(t.Context(), w.regs, ref.MustParse("dst.test/reduced:v4.14"), o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := x.Extract(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, problems, err := e.Catalog(t.Context())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for _, p := range c.Packages {
		names = append(names, p.Name)
	}
	return names, len(c.Bundles)
}

func TestRebuildCatalog(t *testing.T) {
	both := []oci.Platform{sample.ARM64, sample.AMD64}
	for name, spec := range map[string]sample.CatalogSpec{
		"one":      {},
		"docker":   {Format: sample.Docker},
		"list":     {Platforms: both},
		"docker's": {Platforms: both, Format: sample.Docker},
		"database": {SQLite: true, Platforms: both},
	} {
		t.Run(name, func(t *testing.T) {
			w, made, seen := indexWorld(t, spec)
			_, c, err := readIndex(w, IndexOptions{}, "")
			if err != nil {
				t.Fatal(err)
			}
			pkg := c.Packages[1].Name
			r := rebuilt(t, w, pkg)
			if again := rebuilt(t, w, pkg); again.Digest != r.Digest || r.Digest == made.Index.Desc.Digest {
				t.Errorf("first %s, then %s", r.Digest, again.Digest)
			}
			if other := rebuilt(t, w, c.Packages[0].Name); other.Digest == r.Digest {
				t.Error("other packages, and the same digest")
			}
			r = rebuilt(t, w, pkg)
			if r.FromDatabase != spec.SQLite || r.Original != made.Index.Desc.Digest {
				t.Errorf("%+v", r)
			}
			seen.opened = nil
			_, err = Copy(t.Context(), w.regs, []Wish{r.Instead(wish(indexAt, "dst.test/reduced:v4.14"))}, CopyOptions{}, w.observer())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{"linux/amd64", "linux/arm64"} {
				filter, _ := oci.ParsePlatformFilter(p)
				if spec.Platforms == nil {
					filter = oci.PlatformFilter{}
				}
				names, bundles := packageNames(t, w, IndexOptions{Filter: filter})
				if !slices.Equal(names, []string{pkg}) || bundles != 1 {
					t.Errorf("%s: %v, %d bundles", p, names, bundles)
				}
			}
			checkRebuilt(t, w, r, made)
		})
	}
}

// checkRebuilt looks at what arrived: everything of the original but the
// catalog, and the original's digest.
func checkRebuilt(t *testing.T, w *world, r *RebuiltIndex, made *sample.Catalog) {
	t.Helper()
	rp, err := w.hosts["dst.test"].Repo("reduced")
	if err != nil {
		t.Fatal(err)
	}
	desc, body, err := rp.Manifest(t.Context(), repo.ByTag("v4.14"))
	if err != nil || desc.Digest != r.Digest || desc.MediaType != made.Index.Desc.MediaType {
		t.Fatalf("%v, %v", desc, err)
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		t.Fatal(err)
	}
	docker := strings.Contains(desc.MediaType, "docker")
	if got := m.Annotations["dev.airbridge.catalog.original"]; !docker && got != r.Original.String() || docker && m.Annotations != nil {
		t.Errorf("annotations %v", m.Annotations)
	}
	images, originals := []*oci.Manifest{m}, []*sample.Image{made.Index}
	if m.IsIndex() {
		images, originals = nil, made.Index.Children
		for i, child := range m.Manifests {
			if child.Platform.String() != originals[i].Desc.Platform.String() {
				t.Errorf("%s is at the place of %s", child.Platform, originals[i].Desc.Platform)
			}
			_, body, err := rp.Manifest(t.Context(), repo.ByDigest(child.Digest))
			if err != nil {
				t.Fatal(err)
			}
			image, err := oci.ParseManifest(child.MediaType, body)
			if err != nil {
				t.Fatal(err)
			}
			images = append(images, image)
		}
	}
	for i, image := range images {
		checkRebuiltImage(t, rp, image, originals[i])
	}
}

func checkRebuiltImage(t *testing.T, rp repo.Repo, m *oci.Manifest, original *sample.Image) {
	t.Helper()
	was, err := oci.ParseManifest(original.Desc.MediaType, original.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != len(was.Layers)+2 {
		t.Fatalf("%d layers of %d", len(m.Layers), len(was.Layers))
	}
	for i, l := range m.Layers {
		if i < len(was.Layers) && l.Digest != was.Layers[i].Digest || l.MediaType != was.Layers[0].MediaType {
			t.Errorf("layer %d: %+v", i, l)
		}
	}
	content, err := rp.OpenBlob(t.Context(), m.Config.Digest, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	body, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Config struct{ Labels map[string]string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
		History []struct{ Created, CreatedBy string }
	}
	if err := json.Unmarshal(body, &config); err != nil {
		t.Fatal(err)
	}
	labels := config.Config.Labels
	if labels[catalog.LabelConfigs] != "/configs" || labels[catalog.LabelDatabase] != "" || labels["org.opencontainers.image.base.digest"] != original.Desc.Digest.String() {
		t.Errorf("labels %v", labels)
	}
	if n := len(m.Layers); len(config.RootFS.DiffIDs) != n || len(config.History) != n || config.History[n-1].Created == "" {
		t.Errorf("%s", body)
	}
}

// The layers of the original are not read to rebuild it, and travel as they are.
func TestRebuildReadsNoLayers(t *testing.T) {
	w, made, seen := indexWorld(t, sample.CatalogSpec{})
	e, c, err := readIndex(w, IndexOptions{}, "")
	if err != nil {
		t.Fatal(err)
	}
	seen.opened = nil
	if _, err = e.Rebuild(t.Context(), w.regs, c); err != nil {
		t.Fatal(err)
	}
	m, err := oci.ParseManifest(made.Index.Desc.MediaType, made.Index.Body)
	if err != nil || !slices.Equal(seen.opened, []oci.Digest{m.Config.Digest}) {
		t.Errorf("opened %v, %v", seen.opened, err)
	}
}

// hiding is a registry that has lost a manifest.
type hiding struct {
	repo.Registry
	lost oci.Digest
}

func (r hiding) Repo(name string) (repo.Repo, error) {
	rp, err := r.Registry.Repo(name)
	return hidingRepo{rp, r.lost}, err
}

type hidingRepo struct {
	repo.Repo
	lost oci.Digest
}

func (r hidingRepo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	if t.Digest == r.lost {
		return oci.Descriptor{}, nil, oci.ErrManifestUnknown
	}
	return r.Repo.Manifest(ctx, t)
}

// A sparse list, as on a medium for one platform, is rebuilt as far as it is there.
func TestRebuildSparseCatalog(t *testing.T) {
	w, made, seen := indexWorld(t, sample.CatalogSpec{Platforms: []oci.Platform{sample.ARM64, sample.AMD64}})
	w.hosts["src.test"] = hiding{seen, made.Index.Children[0].Desc.Digest}
	w.regs.hosts = map[string]repo.Registry{}
	amd64, _ := oci.ParsePlatformFilter("linux/amd64")
	e, c, err := readIndex(w, IndexOptions{Filter: amd64}, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Rebuild(t.Context(), w.regs, c)
	if err != nil || len(r.Left) != 1 || r.Left[0].Ref != "linux/arm64" {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = Copy(t.Context(), w.regs, []Wish{r.Instead(wish(indexAt, "dst.test/reduced:v4.14"))}, CopyOptions{}, w.observer())
	if err != nil {
		t.Fatal(err)
	}
	if names, _ := packageNames(t, w, IndexOptions{Filter: amd64}); len(names) != 3 {
		t.Errorf("%v", names)
	}
}
