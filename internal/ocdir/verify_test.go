//go:build unix

package ocdir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A verification reads all there is, also the copies that links became, and
// names the images that a damage hurts.
func TestVerify(t *testing.T) {
	const shared = "blobs/sha256:acd7cf5f81f8bb15ea0a28afd6b8ef0624e1c4b5c081bd71b29b46fd5e4e4d17"
	media := realMedia(t)
	for name, link := range map[string]func(from, to string) error{"links": linkAs(asIs), "copies": dereference} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyTree(t, filepath.Join(media, "images"), dir, asIs, link)
			wantDamages(t, dir, 0)
			for _, repository := range []string{"v2/single/image/", "v2/lists/two/"} {
				path := filepath.Join(dir, repository, shared)
				must(t, overwrite(path))
				wantDamages(t, dir, 1)
				must(t, overwrite(path)) // the same bit again
			}
			wantDamages(t, dir, 0)
			must(t, os.Truncate(filepath.Join(dir, "v2/single/image", shared), 0))
			wantDamages(t, dir, 1)
		})
	}
}

func wantDamages(t *testing.T, dir string, want int) {
	t.Helper()
	report, err := registryOf(openDir(t, dir, true), optionsOf(true)).Verify(t.Context(), nil)
	must(t, err)
	if len(report.Damages) != want || report.Blobs == 0 {
		t.Fatalf("%d damages of %d blobs, want %d: %+v", len(report.Damages), report.Blobs, want, report.Damages)
	}
	for _, d := range report.Damages {
		if !strings.Contains(strings.Join(d.Images, " "), "single/image:v1") {
			t.Errorf("%s hurts %v", d.Digest, d.Images)
		}
	}
}
