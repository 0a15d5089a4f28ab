//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// targets are the directories that runs write to. After a run its files are
// emptied, so that disk and memory can be used again, but stay until the work
// ends: ext4 without a journal passes by every inode that was deleted within
// the last minute, one by one, so that what the bench deletes would be paid
// for by the next contender.
type targets struct {
	scratch string
	used    []string
}

// fresh makes the directory of one run.
func (t *targets) fresh() (string, error) {
	dir, err := os.MkdirTemp(t.scratch, "target-")
	if err == nil {
		t.used = append(t.used, dir)
	}
	return dir, err
}

// empty cuts all files below a directory to nothing.
func empty(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 0)) // a store keeps blobs read-only
	})
}

// forgotten is how long ext4 remembers what was deleted, once that is on disk.
const forgotten = 61 * time.Second

// forget removes the directories and waits until the file system forgot them.
func (t *targets) forget() error {
	if len(t.used) == 0 {
		return nil
	}
	var errs []error
	for _, dir := range t.used {
		errs = append(errs, os.RemoveAll(dir))
	}
	t.used = nil
	err := errors.Join(append(errs, syncFS(t.scratch))...)
	time.Sleep(forgotten)
	return err
}
