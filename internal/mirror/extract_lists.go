package mirror

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// releaseTextName is the file that says what the archives are of.
const releaseTextName = "release.txt"

// Sign makes a detached signature of a message.
type Sign func(message []byte) (signature []byte, err error)

// Describe writes release.txt, which says of what release the archives are, and
// sha256sum.txt with the checksums of all (oc.md 13.3). sign, if not nil, makes
// the signature of that list, which is written beside it.
func (x *Extractor) Describe(info *release.Info, files []File, sign Sign) error {
	text := []byte(release.ToolsPreamble() + info.Text(release.PullSpecs, time.Time{}))
	files = append(files, File{Name: releaseTextName, SHA256: sha256.Sum256(text)})
	list := archive.Checksums(files)
	if err := writeFile(x.Dir, releaseTextName, text); err != nil {
		return err
	}
	// A signature of an older list would not fit the new one.
	if err := os.Remove(filepath.Join(x.Dir, archive.SignatureName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeFile(x.Dir, archive.ChecksumsName, list); err != nil || sign == nil {
		return err
	}
	signature, err := sign(list)
	if err != nil {
		return err
	}
	return writeFile(x.Dir, archive.SignatureName, signature)
}
