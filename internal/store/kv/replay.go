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
	next uint64 // the number the next fact has to have

	// What is proven to be durable, because a later write follows it: its
	// bytes, the header counted, their hash, and the fact behind them.
	flushed     int64
	sum         hash.Hash
	flushedNext uint64
	group       []byte // the lines of the last write, which nothing follows
}

// newDecoder begins behind a header, given as it stands in the file.
func newDecoder(path string, h header, raw []byte) *decoder {
	d := &decoder{path: path, log: h.log, line: 1, next: h.next, sum: sha256.New()}
	d.flushed, d.flushedNext = int64(len(raw)), h.next
	d.sum.Write(raw)
	return d
}

// link names what is proven to be durable.
func (d *decoder) link() link {
	l := link{log: d.log, bytes: d.flushed}
	d.sum.Sum(l.sum[:0])
	return l
}

// good is how many bytes were replayed, up to the end of a whole Apply.
func (d *decoder) good() int64 { return d.flushed + int64(len(d.group)) }

// settle notes that what was replayed is known to be durable.
func (d *decoder) settle() {
	d.sum.Write(d.group)
	d.flushed, d.flushedNext = d.good(), d.next
	d.group = d.group[:0]
}

func (d *decoder) corrupt(line int, reason string) error {
	return &CorruptError{Path: d.path, Line: line, Reason: reason}
}

// batch collects the lines of one Apply.
type batch struct {
	raw   []byte
	write bool // begins a write
	items []item
	left  int // lines still to come
}

// take checks that a line is the next one and adds it to the batch.
func (d *decoder) take(line []byte, b *batch) error {
	body, whole := bytes.CutSuffix(line, []byte{'\n'})
	if !whole {
		return errors.New("the line is not complete")
	}
	f, err := parseFact(body)
	if err != nil {
		return err
	}
	if want := d.next + uint64(len(b.items)); f.n != want {
		return fmt.Errorf("fact %d is here instead of fact %d", f.n, want)
	}
	if len(b.items) > 0 && f.more != b.left-1 {
		return errors.New("it does not continue the lines before it")
	}
	if len(b.items) == 0 {
		b.write = f.write
	}
	b.left = f.more
	b.raw = append(b.raw, line...)
	b.items = append(b.items, item{key: f.key, value: f.value, n: f.n})
	return nil
}

// finish hands a whole batch on and counts it.
func (d *decoder) finish(b *batch, apply func([]item)) {
	apply(b.items)
	if b.write {
		d.settle()
	}
	d.group = append(d.group, b.raw...)
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
		if errors.Is(err, io.EOF) && len(b.items) > 0 {
			return d.corrupt(d.line+len(b.items), "the lines that belong to it are missing")
		}
		if errors.Is(err, io.EOF) {
			d.settle()
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		if err := d.take(line, &b); err != nil {
			return d.corrupt(d.line+len(b.items)+1, err.Error())
		}
		if b.left == 0 {
			d.finish(&b, apply)
		}
	}
}

// readTail replays the last log of a store, which a crash may have torn or
// which is being written: what is not whole at its end is left where it is.
// It stops at the fact with the number until. The error is a *CorruptError if
// the damage is older than the last write.
func (d *decoder) readTail(r io.Reader, until uint64, apply func([]item)) error {
	in := newLines(r)
	var b batch
	for d.next < until {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		if err := d.take(line, &b); err != nil {
			bad := d.corrupt(d.line+len(b.items)+1, err.Error())
			return d.judge(in, bad, zeros(line))
		}
		if b.left == 0 {
			d.finish(&b, apply)
		}
	}
	return nil
}

// judge tells a torn end from corruption by what follows a bad line. Nothing:
// torn. Anything: corruption, unless all of it is of the same write and has
// holes, which file systems leave that store the blocks of a growing file in
// any order. No line of ours holds a zero; one zero alone may be a flipped byte.
func (d *decoder) judge(in *lines, bad error, holes int) error {
	follows := false
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) && (!follows || holes > 1) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return bad
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.path, err)
		}
		follows = true
		holes += zeros(line)
		if f, err := parseFact(bytes.TrimSuffix(line, []byte{'\n'})); err == nil && f.write {
			return bad
		}
	}
}

func zeros(line []byte) int { return bytes.Count(line, []byte{0}) }

// lines cuts a stream at line feeds.
type lines struct {
	r    *bufio.Reader
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 32<<10)} }

// next returns a line with its line feed, which the last one may lack; it is
// valid until the next call. Of a line that is too long to be one of ours only
// the beginning is returned, so that garbage does not fill the memory.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if err == nil || (errors.Is(err, io.EOF) && len(line) > 0) {
		return line, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	l.long = append(l.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.r.ReadSlice('\n')
		if len(l.long) <= maxLine {
			l.long = append(l.long, line...)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return l.long, nil
}
