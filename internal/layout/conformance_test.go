package layout

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/testkit/conformance"
)

// A layout is served as it is: the reading part of the specification's own
// suite passes over it.
func TestConformance(t *testing.T) {
	m, img := newMaker(t), image("one")
	sig := repotest.NewReferrer("signature", "application/example", img)
	m.entry(img, annotationRefName, "v1")
	m.entry(sig, annotationRefName, "v2")
	conformance.ReadOnly(t, server.New(m.open().registry(), server.Options{Now: time.Now, ReadOnly: true}), conformance.Content{
		Repo: "stuff", Tags: []string{"v1", "v2"}, Referrers: []string{img.Desc.Digest.String()},
		Manifests: []string{img.Desc.Digest.String(), sig.Desc.Digest.String()},
		Blobs:     []string{img.Blobs[0].Desc.Digest.String(), img.Blobs[1].Desc.Digest.String()},
	})
}
