package mirror

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// CatalogMemories returns what the directory of file:// sources remembers of an
// index image, nothing if it does not know it or there is no such directory. The
// problems are files of its memory that are of no use.
func (r *Registries) CatalogMemories(digest oci.Digest) (memories []catalog.Memory, problems []error, err error) {
	base, err := memoryBase(r.o.From)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoImages) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	return catalog.ReadMemories(root.FS(), digest)
}

// Remember writes what the directory of file:// destinations has to know of a
// catalog that was copied there.
func (r *Registries) Remember(m catalog.Memory) error {
	if r.o.DryRun {
		return nil
	}
	base, err := memoryBase(r.o.To)
	if err != nil {
		return err
	}
	files, err := fsys.OS(base)
	if err != nil {
		return err
	}
	return writeIn(files, m.Path(), m.Encode())
}

// memoryBase is where a directory's memory lies: in v2/, which is all that is
// carried over of oc's; else beside what is there.
func memoryBase(dir string) (string, error) {
	if dir == "" {
		dir = "."
	}
	form, err := FormOf(dir)
	if form == FormOC {
		dir = filepath.Join(dir, "v2")
	}
	return dir, err
}

// writeIn replaces a file whole or not at all. It is durable when it returns, with
// the directories above it: disks are pulled out when a run is done.
func writeIn(files fsys.FS, name string, content []byte) error {
	dir := path.Dir(name)
	if err := files.MkdirAll(dir); err != nil {
		return err
	}
	temporary := path.Join(dir, ".tmp-"+rand.Text())
	if err := fsys.WriteFile(files, temporary, os.O_EXCL, content); err != nil {
		return errors.Join(err, files.Remove(temporary))
	}
	if err := files.Rename(temporary, name); err != nil {
		return errors.Join(err, files.Remove(temporary))
	}
	for ; ; dir = path.Dir(dir) {
		if err := files.SyncDir(dir); err != nil || dir == "." {
			return err
		}
	}
}

// OCDestination is where the document has catalogs written on a medium.
const OCDestination = "local/index"

// AssumedOriginal guesses the name that an index image had before it was on a
// medium that does not say: in that registry, under what its name in the
// directory or below the mirror is without the medium's part. Dashes that the
// mirror's limit on elements has put in place of slashes are taken back for the
// first element, which is right for all catalogs of Red Hat.
func AssumedOriginal(index, dest ref.Ref, host string) (ref.Ref, error) {
	name := index.Path
	if index.Scheme == ref.Registry {
		name = strings.TrimPrefix(name, dest.Path+"/")
	}
	for _, sign := range []string{"/", "-"} {
		name = strings.TrimPrefix(name, strings.ReplaceAll(OCDestination, "/", sign)+sign)
	}
	name = strings.TrimPrefix(name, OCDestination+"-")
	parts := strings.Split(name, "/")
	if len(parts) == 1 {
		parts = strings.SplitN(name, "-", 2)
	}
	name = strings.Join(parts[max(len(parts)-2, 0):], "/")
	index = index.WithDefaultTag()
	text := host + "/" + name
	if index.Tag != "" {
		text += ":" + index.Tag
	}
	if !index.Digest.IsZero() {
		text += "@" + index.Digest.String()
	}
	original, err := ref.Parse(text)
	if err != nil || original.Host == "" {
		return ref.Ref{}, fmt.Errorf("%.300q is not the name of a registry", host)
	}
	return original, nil
}
