package codesign

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Numbers of the Mach-O format (mach-o/loader.h).
const (
	magic64  = 0xfeedfacf
	magicFat = 0xcafebabe // big endian; the last bit is set in the 64-bit form

	cpuAMD64 = 0x01000007
	cpuARM64 = 0x0100000c

	typeExecute = 2

	loadSegment       = 0x19
	loadCodeSignature = 0x1d

	headerSize    = 32
	segmentSize   = 72
	sectionSize   = 80
	signatureSize = 16
)

// Limits of what is believed: Go's linker needs 4 KiB, Apple's rarely 16.
const (
	maxCommands     = 4096
	maxCommandBytes = 1 << 20
)

var order = binary.LittleEndian

// program is what the headers of a Mach-O program say.
type program struct {
	size    int64
	head    []byte // header and load commands, as they are to be written
	changed bool   // head is not as it was read

	cpu, kind uint32
	text      segment
	linkEdit  segment
	signature struct{ offset, size int64 } // of the file; offset 0 if there is none
	command   int                          // of the signature, in head
	first     int64                        // offset of the first section's content
	top       uint64                       // highest address of a segment besides linkEdit
}

// segment is a part of the file that is mapped into memory.
type segment struct {
	at                       int // its load command in head, 0 if it was not there
	address, memory          uint64
	offset, length, sections int64
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}

func (p *program) hasSignature() bool { return p.signature.offset > 0 }

// parse reads the headers and checks that the file ends with what belongs at
// its end: the segment for the linker, and in it the signature.
func parse(r io.ReaderAt, size int64) (*program, error) {
	p := &program{size: size, first: size}
	if err := p.readHead(r); err != nil {
		return nil, err
	}
	if err := p.readCommands(); err != nil {
		return nil, err
	}
	return p, p.check()
}

func (p *program) readHead(r io.ReaderAt) error {
	p.head = make([]byte, headerSize)
	if err := readAt(r, p.head, p.size); err != nil {
		return err
	}
	switch magic := order.Uint32(p.head); {
	case magic == magic64:
	case binary.BigEndian.Uint32(p.head)&^1 == magicFat:
		return wrong("it is a universal binary, of several programs; take them apart with lipo")
	default:
		return wrong("it begins with %x", p.head[:4])
	}
	p.cpu, p.kind = order.Uint32(p.head[4:]), order.Uint32(p.head[12:])
	if p.cpu != cpuAMD64 && p.cpu != cpuARM64 {
		return wrong("it is for the processor type %#x, not for amd64 or arm64", p.cpu)
	}
	n := order.Uint32(p.head[20:])
	if n > maxCommandBytes || order.Uint32(p.head[16:]) > maxCommands {
		return wrong("it has %d load commands of %d bytes", order.Uint32(p.head[16:]), n)
	}
	p.head = make([]byte, headerSize+n)
	return readAt(r, p.head, p.size)
}

// readAt reads the beginning of a file.
func readAt(r io.ReaderAt, b []byte, size int64) error {
	if int64(len(b)) > size {
		return wrong("its headers have %d bytes, the file %d", len(b), size)
	}
	if n, err := r.ReadAt(b, 0); n < len(b) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

func (p *program) readCommands() error {
	at := headerSize
	for range order.Uint32(p.head[16:]) {
		rest := p.head[at:]
		if len(rest) < 8 {
			return wrong("its load commands are cut off")
		}
		n := order.Uint32(rest[4:])
		if n < 8 || int64(n) > int64(len(rest)) {
			return wrong("a load command has %d bytes, %d are left", n, len(rest))
		}
		if err := p.readCommand(at, rest[:n]); err != nil {
			return err
		}
		at += int(n)
	}
	if at != len(p.head) {
		return wrong("%d bytes follow its load commands", len(p.head)-at)
	}
	return nil
}

func (p *program) readCommand(at int, b []byte) error {
	switch order.Uint32(b) {
	case loadSegment:
		return p.readSegment(at, b)
	case loadCodeSignature:
		if len(b) != signatureSize || p.command > 0 {
			return wrong("its signature is named twice, or in %d bytes", len(b))
		}
		p.command = at
		p.signature.offset, p.signature.size = int64(order.Uint32(b[8:])), int64(order.Uint32(b[12:]))
		if p.signature.offset == 0 {
			return wrong("its signature has no place")
		}
	}
	return nil
}

func (p *program) readSegment(at int, b []byte) error {
	if len(b) < segmentSize {
		return wrong("a segment has %d bytes", len(b))
	}
	s := segment{
		at: at, address: order.Uint64(b[24:]), memory: order.Uint64(b[32:]),
		offset: int64(order.Uint64(b[40:])), length: int64(order.Uint64(b[48:])), sections: int64(order.Uint32(b[64:])),
	}
	if s.offset < 0 || s.length < 0 || s.offset > p.size || s.length > p.size-s.offset {
		return wrong("a segment is at %d and %d bytes long, the file has %d", s.offset, s.length, p.size)
	}
	if int64(len(b)) != segmentSize+s.sections*sectionSize {
		return wrong("a segment of %d sections has %d bytes", s.sections, len(b))
	}
	p.readSections(b[segmentSize:])
	p.keep(s, string(bytes.TrimRight(b[8:24], "\x00")))
	return nil
}

// keep remembers what is needed of a segment.
func (p *program) keep(s segment, name string) {
	switch {
	case name == "__TEXT" && p.text.at == 0:
		p.text = s
	case name == "__LINKEDIT" && p.linkEdit.at == 0:
		p.linkEdit = s
		return
	}
	if s.memory > 0 {
		p.top = max(p.top, s.address)
	}
}

// readSections finds where the content of the file begins.
func (p *program) readSections(b []byte) {
	for ; len(b) >= sectionSize; b = b[sectionSize:] {
		if offset := int64(order.Uint32(b[48:])); offset > 0 && order.Uint64(b[40:]) > 0 {
			p.first = min(p.first, offset)
		}
	}
}

func (p *program) check() error {
	link, end := p.linkEdit, p.linkEdit.offset+p.linkEdit.length
	switch {
	case p.text.at == 0 || link.at == 0:
		return wrong("it lacks the segment __TEXT or __LINKEDIT")
	case end != p.size || link.offset < int64(len(p.head)):
		return wrong("its segment __LINKEDIT is from %d to %d, the file has %d bytes", link.offset, end, p.size)
	case !p.hasSignature():
		return nil
	case p.signature.offset < link.offset || p.signature.offset+p.signature.size != end:
		return wrong("its signature is from %d to %d, not at the end", p.signature.offset, p.signature.offset+p.signature.size)
	}
	return nil
}
