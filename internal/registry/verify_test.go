package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// TestVerifyDamage damages one thing at a time and wants it named by all the
// images that need it, and by no other.
func TestVerifyDamage(t *testing.T) {
	all := []string{"copy:arm", "ocp/release:4.14.1-multi", "ocp/release:4.14.1-x86_64"}
	change := func(t *testing.T, d *disk, key string, value []byte) {
		t.Helper()
		if err := d.facts.Apply(t.Context(), []kv.Change{{Key: key, Value: value}}); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		damage func(*testing.T, *disk, release)
		digest func(release) oci.Digest
		images func(release) []string
	}{
		"rotten shared layer": {
			func(t *testing.T, d *disk, _ release) { t.Helper(); d.rot(t, shared) },
			func(release) oci.Digest { return shared.Desc.Digest },
			func(release) []string { return all },
		},
		"short layer": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				d.overwrite(t, r.other.Blobs[1], r.other.Blobs[1].Bytes[:1000])
			},
			func(r release) oci.Digest { return r.other.Blobs[1].Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"missing config": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.remove(t, r.amd.Blobs[0]) },
			func(r release) oci.Digest { return r.amd.Blobs[0].Desc.Digest },
			func(release) []string { return all[1:] },
		},
		"rotten manifest": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.rot(t, r.arm.Blob) },
			func(r release) oci.Digest { return r.arm.Desc.Digest },
			func(release) []string { return all[:2] },
		},
		"missing index": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.remove(t, r.index.Blob) },
			func(r release) oci.Digest { return r.index.Desc.Digest },
			func(release) []string { return all[1:2] },
		},
		"tag that leads nowhere": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.ManifestKey("copy", r.arm.Desc.Digest), nil)
			},
			func(r release) oci.Digest { return r.arm.Desc.Digest },
			func(release) []string { return all[:2] },
		},
		"wrong media type": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				fact := repo.EncodeFact(repo.ManifestFact{MediaType: oci.MediaTypeImageIndex, Size: r.other.Desc.Size})
				change(t, d, repo.ManifestKey("ocp/release", r.other.Desc.Digest), fact)
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"blob that is not held": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				b := r.other.Blobs[1].Desc
				change(t, d, repo.BlobKey("ocp/release", b.Digest), repo.EncodeFact(repo.BlobFact{Size: b.Size, Time: start.Unix()}))
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"missing blob fact": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.BlobKey("ocp/release", r.other.Blobs[1].Desc.Digest), nil)
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"wrong size of a blob": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.BlobKey("copy", shared.Desc.Digest), repo.EncodeFact(repo.BlobFact{Size: 1, Held: true}))
			},
			func(release) oci.Digest { return shared.Desc.Digest },
			func(release) []string { return all },
		},
		"lost referrer": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				sig := repotest.NewReferrer("sig", "application/x", r.amd)
				change(t, d, repo.ReferrerKey("ocp/release", r.amd.Desc.Digest, sig.Desc.Digest), nil)
			},
			func(r release) oci.Digest { return repotest.NewReferrer("sig", "application/x", r.amd).Desc.Digest },
			func(r release) []string {
				return []string{"ocp/release@" + repotest.NewReferrer("sig", "application/x", r.amd).Desc.Digest.String()}
			},
		},
		"referrer that is not there": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				key := repo.ReferrerKey("copy", r.arm.Desc.Digest, r.other.Desc.Digest)
				change(t, d, key, repo.EncodeFact(r.other.Desc))
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"left-over rotten blob": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				b := repotest.NewBlob("left over", 100)
				repotest.PutBlob(t.Context(), t, newRepo(t, d.open(), "x"), b)
				d.rot(t, b)
			},
			func(release) oci.Digest { return repotest.NewBlob("left over", 100).Desc.Digest },
			func(release) []string { return nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			content := pushRelease(t, d.open())
			test.damage(t, d, content)
			got := verify(t, d.open()).Damages
			want := []registry.Damage{{Digest: test.digest(content), Images: test.images(content)}}
			equal := cmp.Options{cmpopts.IgnoreFields(registry.Damage{}, "Reason"), cmp.Comparer(func(a, b oci.Digest) bool { return a == b })}
			if diff := cmp.Diff(want, got, equal); diff != "" {
				t.Errorf("damages (-want +got):\n%s", diff)
			}
			for _, damage := range got {
				if damage.Reason == "" {
					t.Error("the damage has no reason")
				}
			}
		})
	}
}
