package kv

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// The endings of file names. Logs and snapshots share one row of numbers: N.snap
// stands for all that came before N.log.
const (
	logExt  = ".log"
	snapExt = ".snap"
	tempExt = ".snap.tmp"
)

// listing is what a directory of facts holds. Other names are left alone.
type listing struct {
	snaps, logs, temps []uint64 // sorted
}

// readNames lists the directory; one that is not there is empty.
func readNames(fsys fsys.FS, dir string) (listing, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return listing{}, nil
	}
	if err != nil {
		return listing{}, err
	}
	var l listing
	for _, e := range entries {
		l.add(e.Name())
	}
	slices.Sort(l.snaps)
	slices.Sort(l.logs)
	slices.Sort(l.temps)
	return l, nil
}

// add sorts one name in.
func (l *listing) add(name string) {
	digits, ext, _ := strings.Cut(name, ".")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
		return
	}
	switch "." + ext {
	case snapExt:
		l.snaps = append(l.snaps, n)
	case logExt:
		l.logs = append(l.logs, n)
	case tempExt:
		l.temps = append(l.temps, n)
	}
}

// same reports whether two listings have the same snapshots and logs.
func (l listing) same(m listing) bool {
	return slices.Equal(l.snaps, m.snaps) && slices.Equal(l.logs, m.logs)
}

func (l listing) empty() bool { return len(l.snaps)+len(l.logs)+len(l.temps) == 0 }

// newest returns the number of the snapshot to use, 0 for none.
func (l listing) newest() uint64 {
	if len(l.snaps) == 0 {
		return 0
	}
	return l.snaps[len(l.snaps)-1]
}

// live returns the logs that continue the newest snapshot.
func (l listing) live() []uint64 {
	i, _ := slices.BinarySearch(l.logs, l.newest())
	return l.logs[i:]
}

// last returns the highest number that a file has, or that a snapshot leaves
// to the log behind it, less one: the next log gets a higher one.
func (l listing) last() uint64 {
	var n uint64
	if s := l.newest(); s > 0 {
		n = s - 1
	}
	if len(l.logs) > 0 {
		n = max(n, l.logs[len(l.logs)-1])
	}
	return n
}

// stale returns the names of the files that the newest snapshot replaced and
// of snapshots that were not finished.
func (l listing) stale(dir string) []string {
	var names []string
	newest := l.newest()
	for _, n := range l.snaps {
		if n < newest {
			names = append(names, fileName(dir, n, snapExt))
		}
	}
	for _, n := range l.logs {
		if n < newest {
			names = append(names, fileName(dir, n, logExt))
		}
	}
	for _, n := range l.temps {
		names = append(names, fileName(dir, n, tempExt))
	}
	return names
}

func fileName(dir string, number uint64, ext string) string {
	return path.Join(dir, strconv.FormatUint(number, 10)+ext)
}
