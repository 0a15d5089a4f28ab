package ocdir

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/testkit/conformance"
)

// A directory is served as it is: the reading part of the specification's own
// suite passes over it.
func TestConformance(t *testing.T) {
	path := t.TempDir()
	dir := openDir(t, path, false)
	img := repotest.NewImage("one", repotest.NewBlob("layer", 100000))
	sig := repotest.NewReferrer("signature", "application/example", img)
	r := mustRepo(t, registryOf(dir, optionsOf(false)), "a/b")
	repotest.Push(t.Context(), t, r, img, "v1")
	repotest.Push(t.Context(), t, r, sig, "v2")
	must(t, dir.Close())
	content := conformance.Content{
		Repo: "a/b", Tags: []string{"v1", "v2"}, Referrers: []string{img.Desc.Digest.String()},
		Manifests: []string{img.Desc.Digest.String(), sig.Desc.Digest.String()},
		Blobs:     digestTexts(img.Blobs),
	}
	reg := registryOf(openDir(t, path, true), optionsOf(true))
	conformance.ReadOnly(t, server.New(reg, server.Options{Now: time.Now, ReadOnly: true}), content)
}

func digestTexts(blobs []repotest.Blob) []string {
	var out []string
	for _, b := range blobs {
		if b.Desc.Digest != oci.FromBytes(nil) {
			out = append(out, b.Desc.Digest.String())
		}
	}
	return out
}
