package ocdir

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// What real oc wrote is read as it is: the tags that it printed, and all
// content with the hash that its name says.
func TestReadsMediaOfRealOc(t *testing.T) {
	for _, name := range []string{"release", "images"} {
		t.Run(name, func(t *testing.T) {
			media := realMedia(t)
			dir := openDir(t, filepath.Join(media, name), true)
			checkWhole(t, dir, printedTags(t, filepath.Join(media, name+".stdout")))
		})
	}
}

// printedTags reads oc's own words on what it wrote: digest, repository, tag.
func printedTags(t *testing.T, path string) map[string]oci.Digest {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]oci.Digest{}
	for line := range strings.Lines(string(text)) {
		digest, ref, ok := strings.Cut(strings.TrimSpace(line), " file://")
		d, err := oci.ParseDigest(digest)
		if name, tag, tagged := strings.Cut(ref, ":"); ok && tagged && err == nil {
			out[repo.TagKey(name, tag)] = d
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s names no tags", path)
	}
	return out
}

// checkWhole compares the tags, and follows each to the last blob.
func checkWhole(t *testing.T, dir *Dir, want map[string]oci.Digest) {
	t.Helper()
	got := map[string]oci.Digest{}
	for e, err := range dir.KV.List(t.Context(), repo.TagPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		fact, err := repo.DecodeFact[repo.TagFact](e.Key, e.Value)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = fact.Digest
		_, name, _, _ := repo.SplitKey(e.Key)
		checkImage(t, dir, name, fact.Digest)
	}
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func texts(m map[string]oci.Digest) map[string]string {
	out := map[string]string{}
	for k, d := range m {
		out[k] = d.String()
	}
	return out
}

// checkImage reads a manifest and everything below it by facts and content.
func checkImage(t *testing.T, dir *Dir, name string, d oci.Digest) {
	t.Helper()
	fact := mustFact[repo.ManifestFact](t, dir.KV, repo.ManifestKey(name, d))
	body := readBlob(t, dir, d)
	if fact.Size != int64(len(body)) || fact.MediaType == oci.MediaTypeOctetStream {
		t.Errorf("%s@%s: fact %+v of %d bytes", name, d, fact, len(body))
	}
	m, err := oci.ParseManifest(fact.MediaType, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range m.Manifests {
		checkImage(t, dir, name, child.Digest)
	}
	for _, blob := range m.Blobs() {
		b := mustFact[repo.BlobFact](t, dir.KV, repo.BlobKey(name, blob.Digest))
		if b.Size != blob.Size || !b.Held || len(readBlob(t, dir, blob.Digest)) != int(blob.Size) {
			t.Errorf("%s@%s: fact %+v, want %d bytes", name, blob.Digest, b, blob.Size)
		}
	}
}

func mustFact[T any](t *testing.T, store kv.Store, key string) T {
	t.Helper()
	text, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	fact, err := repo.DecodeFact[T](key, text)
	if err != nil {
		t.Fatal(err)
	}
	return fact
}

// readBlob reads a blob and checks its hash.
func readBlob(t *testing.T, dir *Dir, d oci.Digest) []byte {
	t.Helper()
	r, err := dir.CAS.Open(context.Background(), d, 0)
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(body); err != nil {
		t.Fatal(err)
	}
	return body
}
