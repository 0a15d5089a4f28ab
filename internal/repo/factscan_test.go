package repo

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

var someDigest = oci.FromBytes([]byte("x"))

var someFacts = []any{
	TagFact{Digest: someDigest, Time: 1700000000},
	TagFact{Digest: someDigest},
	ManifestFact{MediaType: oci.MediaTypeImageManifest, Size: 1234},
	ManifestFact{MediaType: "application/x+json", Size: 0, ArtifactType: "application/y", Subject: &someDigest},
	BlobFact{Size: 9223372036854775807, Time: 1, Held: true},
	BlobFact{Size: 10, Held: true},
	BlobFact{Size: 10, Time: 20},
	BlobFact{},
}

var digests = cmp.Comparer(func(a, b oci.Digest) bool { return a == b })

// What EncodeFact writes is read without encoding/json.
func TestScanReadsWhatIsWritten(t *testing.T) {
	for _, want := range someFacts {
		text := EncodeFact(want)
		var tag TagFact
		var manifest ManifestFact
		var blob BlobFact
		var ok bool
		var got any
		switch want.(type) {
		case TagFact:
			ok = scan(&tag, text)
			got = tag
		case ManifestFact:
			ok = scan(&manifest, text)
			got = manifest
		case BlobFact:
			ok = scan(&blob, text)
			got = blob
		}
		if diff := cmp.Diff(want, got, digests); !ok || diff != "" {
			t.Errorf("%s: read %v: %s", text, ok, diff)
		}
	}
}

// agree checks that a text means the same to the scanner as to encoding/json.
func agree[T any](t *testing.T, text []byte) {
	t.Helper()
	var plain, value T
	if !scan(&plain, text) {
		return
	}
	if err := json.Unmarshal(text, &value); err != nil {
		t.Errorf("%q is read, but %v", text, err)
	} else if diff := cmp.Diff(value, plain, digests); diff != "" {
		t.Errorf("%q is read otherwise: %s", text, diff)
	}
}

func FuzzScanAgreesWithJSON(f *testing.F) {
	for _, fact := range someFacts {
		text := string(EncodeFact(fact))
		f.Add([]byte(text))
		f.Add([]byte(strings.Replace(text, "1", "01", 1)))
		f.Add([]byte(strings.Replace(text, ":", ": ", 1)))
		f.Add([]byte(text[:len(text)-1]))
		f.Add([]byte(text + " "))
	}
	f.Add([]byte(`{"size":-1}`))
	f.Add([]byte(`{"size":9223372036854775808}`))
	f.Add([]byte(`{"mediaType":"a\u0041","size":1}`))
	f.Add([]byte("{\"mediaType\":\"a\xff\",\"size\":1}"))
	f.Add([]byte(`{"digest":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		agree[TagFact](t, text)
		agree[ManifestFact](t, text)
		agree[BlobFact](t, text)
	})
}
