package kv

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A snapshot is binary:
//
//	"ABFACTS1"
//	blocks   entries in the order of their keys, then a CRC-32C (4 bytes)
//	index    of each block: its first key, shortened, and its length; a CRC-32C
//	footer   of fixed size, see footer
//
// An entry is: bytes shared with the key before it, bytes of its own, bytes of
// the value (three varints), then the rest of the key and the value. Fixed
// numbers are little-endian. Checksums of blocks also cover the offset of the
// block, so that a block in the wrong place is noticed.
const (
	snapMagic = "ABFACTS1"
	blockSize = 8 << 10 // a block is closed when it has grown to this
	crcSize   = 4
)

var errBlock = errors.New("a block does not hold what it should")

// blockSum is the checksum of a block's entries at an offset of the file.
func blockSum(offset int64, entries []byte) uint32 {
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(offset))
	return crc32.Update(crc32.Checksum(at[:], castagnoli), castagnoli, entries)
}

// appendEntry appends an entry; before is the key of the entry before it in
// the block, "" for the first.
func appendEntry(b []byte, before string, e Entry) []byte {
	shared := sharedLen(before, e.Key)
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(e.Key)-shared))
	b = binary.AppendUvarint(b, uint64(len(e.Value)))
	b = append(b, e.Key[shared:]...)
	return append(b, e.Value...)
}

func sharedLen(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// separator returns the shortest text above one key and not above the next,
// which is all that an index needs to know of a block.
func separator(before, key string) string {
	return key[:min(len(key), sharedLen(before, key)+1)]
}

// entries walks the entries of a verified block.
type entries struct {
	rest  []byte
	key   []byte // of the present entry; its memory is used again
	value []byte // part of the block
}

// next moves to the next entry. It returns false at the end, and errBlock for
// what no writer of ours writes.
func (e *entries) next() (bool, error) {
	if len(e.rest) == 0 {
		return false, nil
	}
	shared, ok1 := e.length()
	own, ok2 := e.length()
	size, ok3 := e.length()
	if !ok1 || !ok2 || !ok3 || shared > len(e.key) || own > len(e.rest) || size > len(e.rest)-own {
		return false, errBlock
	}
	e.key = append(e.key[:shared], e.rest[:own]...)
	e.value = e.rest[own : own+size : own+size]
	e.rest = e.rest[own+size:]
	return true, nil
}

func (e *entries) length() (int, bool) {
	v, n := binary.Uvarint(e.rest)
	if n <= 0 || v > maxLine {
		return 0, false
	}
	e.rest = e.rest[n:]
	return int(v), true
}
