package mirror

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// oneBlob is a source of one blob.
type oneBlob struct {
	repo.Source
	body []byte
}

func (b oneBlob) OpenBlob(_ context.Context, _ oci.Digest, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.body[offset:])), nil
}

// An image whose configuration tells of other layers than its manifest has is not
// rebuilt: the two new ones would be taken for others.
func TestRebuildOfImageThatContradictsItself(t *testing.T) {
	for config, refused := range map[string]string{
		`{"rootfs":{"diff_ids":["a","b"]}}`: "",
		`{"rootfs":{"diff_ids":["a"]}}`:     "it has 2 layers, but its configuration tells of 1",
		`{"config":{}}`:                     "it has 2 layers, but its configuration tells of 0",
		`{"rootfs":{"diff_ids":7}}`:         "its configuration: ",
	} {
		body := []byte(config)
		of := func(mediaType string) string {
			return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, oci.FromBytes(body), len(body))
		}
		layer := of(oci.MediaTypeOCILayerGzip)
		manifest := []byte(fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[%s,%s]}`, of(oci.MediaTypeImageConfig), layer, layer))
		m, err := oci.ParseManifest(oci.MediaTypeImageManifest, manifest)
		if err != nil {
			t.Fatal(err)
		}
		b := &rebuilder{source: oneBlob{body: body}, out: &madeRepo{blobs: map[oci.Digest][]byte{}}}
		_, err = b.image(t.Context(), oci.Descriptor{MediaType: oci.MediaTypeImageManifest}, manifest, m)
		if refused == "" && err != nil || refused != "" && (err == nil || !strings.Contains(err.Error(), refused)) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
