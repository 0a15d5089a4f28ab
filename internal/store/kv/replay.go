package kv

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// decoder replays one log. It can be taken up again where it stopped, when
// the log has grown.
type decoder struct {
	path string // for messages
	log  uint64
	line int    // lines taken, the header counted
	good int64  // bytes up to the end of the last whole Apply
	next uint64 // the number the next fact has to have
	sum  hash.Hash
}

// newDecoder begins behind a header, given as it stands in the file.
func newDecoder(path string, h header, raw []byte) *decoder {
	d := &decoder{path: path, log: h.log, line: 1, good: int64(len(raw)), next: h.next, sum: sha256.New()}
	d.sum.Write(raw)
	return d
}

// link names what was replayed so far.
func (d *decoder) link() link {
	l := link{log: d.log, bytes: d.good}
	d.sum.Sum(l.sum[:0])
	return l
}

func (d *decoder) corrupt(line int, reason string) error {
	return &CorruptError{Path: d.path, Line: line, Reason: reason}
}

// batch collects the lines of one Apply.
type batch struct {
	raw   []byte
	items []item
	left  int // lines still to come
}

// take checks that a line is the next one and adds it to the batch.
func (d *decoder) take(line []byte, b *batch) (fact, error) {
	body, whole := bytes.CutSuffix(line, []byte{'\n'})
	if !whole {
		return fact{}, errors.New("the line is not complete")
	}
	f, err := parseFact(body)
	if err != nil {
		return fact{}, err
	}
	if want := d.next + uint64(len(b.items)); f.n != want {
		return fact{}, fmt.Errorf("fact %d is here instead of fact %d", f.n, want)
	}
	if len(b.items) > 0 && f.more != b.left-1 {
		return fact{}, errors.New("it does not continue the lines before it")
	}
	b.left = f.more
	b.raw = append(b.raw, line...)
	b.items = append(b.items, item{key: f.key, value: f.value, n: f.n})
	return f, nil
}

// finish hands a whole batch on and counts it.
func (d *decoder) finish(b *batch, apply func([]item)) {
	apply(b.items)
	d.sum.Write(b.raw)
	d.good += int64(len(b.raw))
	d.line += len(b.items)
	d.next += uint64(len(b.items))
	b.raw, b.items = b.raw[:0], b.items[:0]
}

// readAll replays a log of which others told that all of it is whole: r is
// what is left of that. The error is a *CorruptError if anything is not.
func (d *decoder) readAll(r io.Reader, apply func([]item)) error {
	in := newLines(r)
	var b batch
	for {
		line, err := in.next()
		if err == io.EOF && len(b.items) > 0 {
			return d.corrupt(d.line+len(b.items), "the lines that belong to it are missing")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		if _, err := d.take(line, &b); err != nil {
			return d.corrupt(d.line+len(b.items)+1, err.Error())
		}
		if b.left == 0 {
			d.finish(&b, apply)
		}
	}
}

// readTail replays the last log of a store, which a crash may have torn or
// which is being written: what is not whole at its end is left where it is.
// The error is a *CorruptError if the damage is older than the last write.
func (d *decoder) readTail(r io.Reader, apply func([]item)) error {
	in := newLines(r)
	var b batch
	for {
		line, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		if _, err := d.take(line, &b); err != nil {
			at := d.line + len(b.items) + 1
			hole := isHole(line, d.good+int64(len(b.raw)))
			return d.judge(in, d.corrupt(at, err.Error()), hole)
		}
		if b.left == 0 {
			d.finish(&b, apply)
		}
	}
}

// judge tells a torn end from corruption by what follows a bad line. Nothing:
// torn. Anything: corruption, but for a hole in the last write, which file
// systems leave that store the blocks of a growing file in any order.
func (d *decoder) judge(in *lines, bad error, hole bool) error {
	for n := 0; ; n++ {
		line, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		f, err := parseFact(bytes.TrimSuffix(line, []byte{'\n'}))
		if !hole || (err == nil && f.write) {
			return bad
		}
	}
}

// sector is the least unit in which disks and file systems lose data, bytes.
const sector = 512

// isHole reports whether a bad line that begins at an offset has a run of
// zeros with the edges of a lost block: it begins with the line or a sector
// and ends with a sector.
func isHole(line []byte, offset int64) bool {
	for i := 0; i < len(line); {
		if line[i] != 0 {
			i++
			continue
		}
		end := i
		for end < len(line) && line[end] == 0 {
			end++
		}
		begins := i == 0 || (offset+int64(i))%sector == 0
		if begins && (offset+int64(end))%sector == 0 {
			return true
		}
		i = end
	}
	return false
}

// lines cuts a stream at line feeds.
type lines struct {
	r    *bufio.Reader
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 128<<10)} }

// next returns a line with its line feed, which the last one may lack; it is
// valid until the next call. Of a line that is too long to be one of ours only
// the beginning is returned, so that garbage does not fill the memory.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if err == nil || (err == io.EOF && len(line) > 0) {
		return line, nil
	}
	if err != bufio.ErrBufferFull {
		return nil, err
	}
	l.long = append(l.long[:0], line...)
	for err == bufio.ErrBufferFull {
		line, err = l.r.ReadSlice('\n')
		if len(l.long) <= maxLine {
			l.long = append(l.long, line...)
		}
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	return l.long, nil
}
