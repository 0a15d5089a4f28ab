package fsys

import (
	"errors"
	"os"
)

// WriteFile writes a file and makes its content durable; its name is by SyncDir. The
// flag says what becomes of one that is there: os.O_TRUNC or os.O_EXCL.
func WriteFile(f FS, name string, flag int, content []byte) error {
	w, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}
