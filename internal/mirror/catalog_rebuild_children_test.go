package mirror

import (
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// rebuiltWith rebuilds the whole catalog of a list that has an image for
// linux/amd64 and others beside it.
func rebuiltWith(t *testing.T, others ...*sample.Image) (*world, *RebuiltIndex, error) {
	t.Helper()
	w := newWorld(t)
	made := sample.New(7).Catalog(sample.CatalogSpec{})
	w.push(indexAt, sample.NewIndex(sample.OCI, append([]*sample.Image{made.Index}, others...)...))
	amd64, _ := oci.ParsePlatformFilter("linux/amd64")
	e, c, err := readIndex(w, IndexOptions{Filter: amd64}, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Rebuild(t.Context(), w.regs, c)
	return w, r, err
}

// attestation is what build tools put into a list beside an image: it has the
// form of an image, and is none.
func attestation() *sample.Image {
	unknown := oci.Platform{OS: "unknown", Architecture: "unknown"}
	return sample.NewImage(sample.ImageSpec{Platform: unknown, Layers: []sample.Blob{sample.New(9).Layer(500)}})
}

// Attestations are about the images that they were made for, and not about
// those made anew: they do not go along, and that is told.
func TestRebuildLeavesAttestations(t *testing.T) {
	about := attestation()
	w, r, err := rebuiltWith(t, about)
	if err != nil || len(r.Left) != 1 || r.Left[0].Digest != about.Desc.Digest {
		t.Fatalf("left %+v, %v", r, err)
	}
	if r.Left[0].Ref != "unknown/unknown" || !strings.Contains(r.Left[0].Why, "an image that is rebuilt") {
		t.Errorf("%+v", r.Left[0])
	}
	_, err = Copy(t.Context(), w.regs, []Wish{r.Instead(wish(indexAt, "dst.test/reduced:v4.14"))}, CopyOptions{}, w.observer())
	if err != nil {
		t.Fatal(err)
	}
	if got := platformsAt(t, w, "reduced"); !slices.Equal(got, []string{"linux/amd64"}) {
		t.Errorf("the new list has %v", got)
	}
}

// platformsAt returns the platforms of the list in a repository of dst.test.
func platformsAt(t *testing.T, w *world, name string) (out []string) {
	t.Helper()
	rp, err := w.hosts["dst.test"].Repo(name)
	if err != nil {
		t.Fatal(err)
	}
	desc, body, err := rp.Manifest(t.Context(), repo.ByTag("v4.14"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range m.Manifests {
		out = append(out, child.Platform.String())
	}
	return out
}

// nested puts an image into lists within lists.
func nested(deep int) *sample.Image {
	im := image(3, sample.ARM64)
	for range deep {
		im = sample.NewIndex(sample.OCI, im)
	}
	return im
}

// Lists within lists are followed as deep as everywhere, and no deeper.
func TestRebuildOfNestedLists(t *testing.T) {
	if _, r, err := rebuiltWith(t, nested(oci.MaxDepth-1)); err != nil || len(r.Left) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	_, _, err := rebuiltWith(t, nested(oci.MaxDepth))
	if err == nil || !strings.Contains(err.Error(), "indexes are nested more than 8 deep") {
		t.Error(err)
	}
}

// An old manifest in a list is no image that may be missing: it is refused by
// name.
func TestRebuildRefusesSchema1(t *testing.T) {
	body := []byte(`{"schemaVersion":1,"name":"x","tag":"t","fsLayers":[],"history":[],"signatures":[]}`)
	old := &sample.Image{Body: body, Desc: oci.Descriptor{MediaType: oci.MediaTypeSchema1Signed, Digest: oci.FromBytes(body), Size: int64(len(body))}}
	old.Desc.Platform = &sample.ARM64
	_, r, err := rebuiltWith(t, old)
	if err == nil || !strings.Contains(err.Error(), old.Desc.Digest.String()+" is a schema 1 manifest") {
		t.Errorf("%+v, %v", r, err)
	}
}
