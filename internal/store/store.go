// Package store has the store directory: blobs, the log of facts about them,
// and the lock of the one process that writes.
package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

const (
	dir        = "airbridge"
	formatName = dir + "/format.json"
	lockName   = dir + "/lock"
	factsDir   = dir + "/facts"
)

// version is the format that Init writes, and the newest that Open reads.
const version = 1

// maxSmall is the most that is read of the format and lock files, in bytes.
const maxSmall = 4 << 10

// format is the content of airbridge/format.json.
type format struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
}

// Store is an open store directory.
type Store struct {
	// ID tells this store from all others, also after it was moved.
	ID  string
	CAS cas.Store
	KV  kv.Store

	log  *kv.Log
	lock io.Closer // nil in a reader
}

// IsStore reports whether a directory is a store: what makes it one is its
// format file, however damaged.
func IsStore(f fsys.FS) bool {
	_, err := f.Lstat(formatName)
	return err == nil
}

// Init makes a directory a store, durably. One that is a store already stays
// as it is; it is an error if Open would not take it.
func Init(f fsys.FS) error {
	if IsStore(f) {
		_, err := readFormat(f)
		return err
	}
	if err := f.MkdirAll(dir); err != nil {
		return fmt.Errorf("making a store: %w", err)
	}
	held, err := takeLock(f)
	if err != nil {
		return err
	}
	defer held.Close()
	if IsStore(f) { // another process was faster
		return nil
	}
	if err := writeFormat(f, format{Version: version, ID: rand.Text()}); err != nil {
		return fmt.Errorf("making a store: %w", err)
	}
	return nil
}

// writeFormat gives the file its name only when its content is durable.
func writeFormat(f fsys.FS, content format) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	const draft = formatName + ".new"
	if err := fsys.WriteFile(f, draft, os.O_TRUNC, append(text, '\n')); err != nil {
		return err
	}
	if err := f.Rename(draft, formatName); err != nil {
		return err
	}
	if err := f.SyncDir(dir); err != nil {
		return err
	}
	return f.SyncDir(".")
}

func readFormat(f fsys.FS) (format, error) {
	var got format
	text, err := readFile(f, formatName)
	if errors.Is(err, fs.ErrNotExist) {
		return got, fmt.Errorf("%s is not a store: %w", f.Root(), err)
	}
	if err != nil {
		return got, err
	}
	// The version first, and alone: the rest may mean something else there.
	var only struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &only); err == nil && only.Version > version {
		return got, repo.NewerFormat(f.Root(), only.Version, version)
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Version < 1 || got.ID == "" {
		return got, &kv.CorruptError{Path: path.Join(f.Root(), formatName), Reason: "it does not tell version and id"}
	}
	return got, nil
}

func readFile(f fsys.FS, name string) ([]byte, error) {
	r, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSmall))
	return text, errors.Join(err, r.Close())
}

// Open opens a store for reading and writing and locks it until Close. holder
// says who that is, for others to read: "airbridge serve, pid 12 on host". The
// error is a *repo.LockedError if another process writes to the store.
func Open(f fsys.FS, holder string) (*Store, error) {
	if _, err := readFormat(f); err != nil { // before anything is written
		return nil, err
	}
	held, err := takeLock(f)
	if err != nil {
		return nil, err
	}
	// Who holds the lock is information only: a full disk must not keep those
	// out who want to make room.
	_ = fsys.WriteFile(f, lockName, os.O_TRUNC, []byte(holder+"\n"))
	s, err := open(f, kv.LogOptions{Dir: factsDir})
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	s.lock = held
	return s, nil
}

// OpenReadOnly opens a store without a lock and without writing anything, as
// is possible on a read-only medium and beside a process that writes, whose
// facts appear within a second of the clock now.
func OpenReadOnly(f fsys.FS, now func() time.Time) (*Store, error) {
	return open(f, kv.LogOptions{Dir: factsDir, ReadOnly: true, Now: now})
}

func open(f fsys.FS, o kv.LogOptions) (*Store, error) {
	is, err := readFormat(f)
	if err != nil {
		return nil, err
	}
	log, err := kv.OpenLog(f, o)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", f.Root(), err)
	}
	return &Store{ID: is.ID, CAS: cas.FS(f), KV: log, log: log}, nil
}

// Close closes the facts and gives the lock back. What was not synced before
// is not synced now.
func (s *Store) Close() error {
	err := s.log.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

func takeLock(f fsys.FS) (io.Closer, error) {
	held, err := f.Lock(lockName)
	if errors.Is(err, fsys.ErrLocked) {
		return nil, &repo.LockedError{Path: f.Root(), Holder: holder(f)}
	}
	if err != nil {
		return nil, fmt.Errorf("locking store %s: %w", f.Root(), err)
	}
	return held, nil
}

// holder reads who holds the lock. The holder may be about to write it; and
// what it is, somebody else wrote, so that it is kept to one printable line.
func holder(f fsys.FS) string {
	text, err := readFile(f, lockName)
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, line)
	if err != nil || line == "" {
		return "another process"
	}
	return line
}
