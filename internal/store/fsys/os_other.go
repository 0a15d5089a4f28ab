//go:build !linux

package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// dirFlag has no portable value; reading what is no directory fails anyway.
const dirFlag = 0

// features is what is known of the kernel and file system: here nothing.
type features struct {
	syncFS bool
	limits Limits
}

func probe(*os.File) features { return features{} }

func syncFS(*os.File) error { return ErrNoSyncFS }

func (d *disk) open(local string, flag int) (*os.File, error) {
	if err := d.walk(local); err != nil {
		return nil, err
	}
	return d.root.OpenFile(local, flag|nonBlock, fileMode)
}

func (d *disk) lstat(local string) (fs.FileInfo, error) {
	if err := d.plain(filepath.Dir(local)); err != nil {
		return nil, err
	}
	return d.root.Lstat(local)
}

func (d *disk) plain(local string) error { return d.walk(local) }

// between stands for calls that this system does not offer.
type between struct{}

var renameAt, linkAt between

func (d *disk) between(string, string, string, between) error { return errors.ErrUnsupported }
