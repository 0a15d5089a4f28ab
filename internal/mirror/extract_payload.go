package mirror

import (
	"os"

	"github.com/airbridge-dev/airbridge/internal/release"
)

// MakeDirectory makes a directory that is to be written to, and makes sure that
// it can be. What a run left there that was killed is removed.
func MakeDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	sweep(dir)
	o, err := newOutput(dir)
	if err != nil {
		return err
	}
	o.discard()
	return nil
}

// WriteFiles writes files of a payload, each whole or not at all.
func WriteFiles(dir string, files []release.PayloadFile) error {
	for _, f := range files {
		if err := writeFile(dir, f.Name, f.Content); err != nil {
			return err
		}
	}
	return nil
}
