package kv

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// snapWriter writes a snapshot in one pass.
type snapWriter struct {
	out    *bufio.Writer
	offset int64
	block  []byte
	index  []byte
	last   string // the key before
	first  string // of the present block, shortened
	begun  string // the key before in the block, "" at its start
	foot   footer
}

// newSnapWriter begins a snapshot; of f it takes number, next and prev.
func newSnapWriter(w io.Writer, f footer) *snapWriter {
	s := &snapWriter{out: bufio.NewWriterSize(w, 256<<10), foot: f}
	s.write([]byte(snapMagic))
	return s
}

// write leaves errors to the buffer, which keeps them for Flush.
func (s *snapWriter) write(b []byte) {
	_, _ = s.out.Write(b)
	s.offset += int64(len(b))
}

// add appends an entry; keys come in order.
func (s *snapWriter) add(e Entry) {
	if len(s.block) == 0 {
		s.first, s.begun = separator(s.last, e.Key), ""
	}
	s.block = appendEntry(s.block, s.begun, e)
	s.begun, s.last = e.Key, e.Key
	s.foot.count++
	if len(s.block) >= blockSize {
		s.endBlock()
	}
}

func (s *snapWriter) endBlock() {
	if len(s.block) == 0 {
		return
	}
	s.block = binary.LittleEndian.AppendUint32(s.block, blockSum(s.offset, s.block))
	s.index = binary.AppendUvarint(s.index, uint64(len(s.first)))
	s.index = binary.AppendUvarint(s.index, uint64(len(s.block)))
	s.index = append(s.index, s.first...)
	s.write(s.block)
	s.block = s.block[:0]
	s.foot.blocks++
}

// finish writes index and footer and returns the first error of all writes.
func (s *snapWriter) finish() error {
	s.endBlock()
	s.index = binary.LittleEndian.AppendUint32(s.index, crc32.Checksum(s.index, castagnoli))
	s.foot.index = uint64(len(s.index))
	s.write(s.index)
	s.write(appendFooter(nil, s.foot))
	return s.out.Flush()
}
