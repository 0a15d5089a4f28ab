package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync/atomic"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// snapshot is an open snapshot file. Only its index is in memory; blocks are
// read when they are wanted. Whoever uses it holds it with acquire, so that
// the file stays open while a list runs on. A nil snapshot is an empty one.
type snapshot struct {
	footer
	path  string // for messages
	file  fsys.File
	size  int64
	first []string // for each block: above all keys before it, not above its own
	start []int64  // the offset of each block, and the end of the last
	cache *blockCache
	refs  atomic.Int64
}

// openSnapshot opens a snapshot and reads its index. It returns a
// *CorruptError where the index or the frame of the file is damaged.
func openSnapshot(fs fsys.FS, path string) (*snapshot, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	s := &snapshot{path: path, file: file, cache: newBlockCache()}
	s.refs.Store(1)
	if err := s.readIndex(); err != nil {
		_ = file.Close() // nothing was written to it
		return nil, err
	}
	return s, nil
}

func (s *snapshot) corrupt(reason string) error {
	return &CorruptError{Path: s.path, Reason: reason}
}

// readIndex reads footer and index.
func (s *snapshot) readIndex() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	end := s.size - int64(footerSize)
	if end < int64(len(snapMagic)) {
		return s.corrupt(errFooter.Error())
	}
	start, err := s.readAt(0, len(snapMagic))
	if err != nil {
		return err
	}
	foot, err := s.readAt(end, footerSize)
	if err != nil {
		return err
	}
	s.footer, err = parseFooter(foot, string(start))
	if newer, ok := errors.AsType[*repo.VersionError](err); ok {
		newer.Path = s.path
		return newer
	} else if err != nil {
		return s.corrupt(err.Error())
	}
	room := uint64(end) - uint64(len(snapMagic))
	if s.index < crcSize || s.index > room {
		return s.corrupt("its index has an impossible size")
	}
	raw, err := s.readAt(end-int64(s.index), int(s.index))
	if err != nil {
		return err
	}
	return s.parseIndex(raw, end-int64(s.index))
}

// parseIndex reads the index, whose blocks have to fill the file up to end.
func (s *snapshot) parseIndex(raw []byte, end int64) error {
	body := raw[:len(raw)-crcSize]
	sum := binary.LittleEndian.Uint32(raw[len(body):])
	if sum != crc32.Checksum(body, castagnoli) || s.blocks > uint64(len(body)) {
		return s.corrupt("the checksum of its index does not match")
	}
	s.first = make([]string, 0, s.blocks)
	s.start = append(make([]int64, 0, s.blocks+1), int64(len(snapMagic)))
	text := string(body) // one allocation for all keys
	in := entries{rest: body}
	for range s.blocks {
		key, ok1 := in.length()
		size, ok2 := in.length()
		if !ok1 || !ok2 || key > len(in.rest) || size <= crcSize {
			return s.corrupt("its index is not understood")
		}
		at := len(body) - len(in.rest)
		s.first = append(s.first, text[at:at+key])
		s.start = append(s.start, s.start[len(s.start)-1]+int64(size))
		in.rest = in.rest[key:]
	}
	if len(in.rest) > 0 || s.start[s.blocks] != end || !slices.IsSorted(s.first) {
		return s.corrupt("its index does not fit the file")
	}
	return nil
}

// readAt reads exactly n bytes; a file that is too short is corrupt.
func (s *snapshot) readAt(offset int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := s.file.ReadAt(b, offset)
	if got == n {
		return b, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, s.corrupt("it is too short")
	}
	return nil, fmt.Errorf("reading %s: %w", s.path, err)
}

// block returns the verified entries of a block.
func (s *snapshot) block(i int) ([]byte, error) {
	if b, ok := s.cache.get(i); ok {
		return b, nil
	}
	raw, err := s.readAt(s.start[i], int(s.start[i+1]-s.start[i]))
	if err != nil {
		return nil, err
	}
	b := raw[:len(raw)-crcSize]
	if binary.LittleEndian.Uint32(raw[len(b):]) != blockSum(s.start[i], b) {
		return nil, s.corrupt(fmt.Sprintf("the checksum of the block at byte %d does not match", s.start[i]))
	}
	s.cache.put(i, b)
	return b, nil
}

// get returns the value of a key, nil if there is none.
func (s *snapshot) get(key string) ([]byte, error) {
	c, err := s.seek(key)
	if err != nil || !c.ok || string(c.key) != key {
		return nil, err
	}
	return c.value, nil
}

// acquire keeps the file open until release. It reports false if the snapshot
// was given up already.
func (s *snapshot) acquire() bool {
	if s == nil {
		return true
	}
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives the snapshot back; the last one closes the file.
func (s *snapshot) release() {
	if s != nil && s.refs.Add(-1) == 0 {
		_ = s.file.Close() // it was only read
	}
}
