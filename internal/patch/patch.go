// Package patch writes values into finished binaries while they are copied.
//
// OpenShift's programs are built with markers: a NUL byte, a label, a NUL byte,
// a run of X and a NUL byte. Whoever takes the program out of a release puts the
// value where its marker begins, ended by one NUL byte. The file keeps its
// size, and what is left of the marker stays (oc.md 13.4).
package patch

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The labels of the markers, and how many X follow. A marker in full is put
// together when it is needed: a program that contained it could itself be
// taken for one to be patched.
const (
	imageLabel        = "_RELEASE_IMAGE_LOCATION_"
	versionLabel      = "_RELEASE_VERSION_LOCATION_"
	architectureLabel = "_RELEASE_ARCHITECTURE_LOCATION_"

	imageRoom = 300
	otherRoom = 64
)

// bufferSize is how much is read at a time, besides the end of what was read
// before, in which a marker may begin.
const bufferSize = 256 << 10

// Replacement is one value to write.
type Replacement struct {
	// Name is what the value is called in messages, "release image".
	Name string
	// Marker is what is looked for. Its first occurrence in the stream is
	// overwritten.
	Marker []byte
	// Value is written there, with one NUL byte after it.
	Value string
}

// ReleaseImage pins openshift-install to a release: a pull spec by digest.
func ReleaseImage(pullSpec string) Replacement {
	return Replacement{Name: "release image", Marker: marker(imageLabel, imageRoom), Value: pullSpec}
}

// Version tells openshift-install and oc the version of the release.
func Version(version string) Replacement {
	return Replacement{Name: "release version", Marker: marker(versionLabel, otherRoom), Value: version}
}

// Architecture tells openshift-install what the release is for: "linux/amd64",
// or "multi (linux/amd64)".
func Architecture(platform string) Replacement {
	return Replacement{Name: "release architecture", Marker: marker(architectureLabel, otherRoom), Value: platform}
}

func marker(label string, room int) []byte {
	return []byte("\x00" + label + "\x00" + strings.Repeat("X", room) + "\x00")
}

// check reports a value that would do harm.
func (r Replacement) check() error {
	switch room := len(r.Marker) - 1; {
	case len(r.Value) > room:
		return fmt.Errorf("the %s value has %d bytes, but the maximum replacement length is %d", r.Name, len(r.Value), room)
	case r.Value == "":
		return fmt.Errorf("the %s value is empty", r.Name)
	case strings.ContainsRune(r.Value, 0):
		return fmt.Errorf("the %s value %q contains a NUL byte, which would end it", r.Name, r.Value)
	}
	return nil
}

// Copy copies src to dst, as many bytes as there are, with the replacements
// made. Each marker is looked for in src as it is, so that no value can make or
// break the marker of another; where two overlap, the later in the list is
// written last. Missing names the replacements whose marker was not there, in
// alphabetical order; that is no error: oc warns. Nothing is written where a
// value does not fit. Errors of src and dst come back as they are.
func Copy(dst io.Writer, src io.Reader, replacements ...Replacement) (missing []string, err error) {
	for _, r := range replacements {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	c := copier{dst: dst, src: src}
	for _, r := range replacements {
		c.searches = append(c.searches, newSearch(r))
	}
	if err := c.run(); err != nil {
		return nil, err
	}
	return c.missing(), nil
}

// copier holds what has been read and not yet written: buf, which begins at
// the offset start of the stream and is kept as it was read until it is written.
type copier struct {
	dst      io.Writer
	src      io.Reader
	searches []search
	buf      []byte
	start    int64
}

func (c *copier) run() error {
	overlap := 0
	for i := range c.searches {
		overlap = max(overlap, len(c.searches[i].Marker)-1)
	}
	room := make([]byte, overlap+bufferSize)
	for len(c.missing()) > 0 {
		n, err := io.ReadFull(c.src, room[len(c.buf):])
		c.buf = room[:len(c.buf)+n]
		for i := range c.searches {
			c.searches[i].look(c.buf, c.start)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return c.write(len(c.buf))
		}
		if err != nil {
			return err
		}
		if err := c.write(len(c.buf) - overlap); err != nil {
			return err
		}
		c.buf = room[:copy(room, c.buf)]
	}
	return c.rest()
}

// missing names the markers that have not been found, in order.
func (c *copier) missing() []string {
	var names []string
	for i := range c.searches {
		if !c.searches[i].found() {
			names = append(names, c.searches[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// write writes the first n bytes of the buffer, with the values that lie in
// them, and drops them.
func (c *copier) write(n int) error {
	for i := range c.searches {
		c.searches[i].overwrite(c.buf[:n], c.start)
	}
	if written, err := c.dst.Write(c.buf[:n]); err != nil || written < n {
		return cmp.Or(err, io.ErrShortWrite)
	}
	c.buf, c.start = c.buf[n:], c.start+int64(n)
	return nil
}

// rest copies what follows the last marker. No value reaches beyond its marker,
// so none is left after the buffer.
func (c *copier) rest() error {
	if err := c.write(len(c.buf)); err != nil {
		return err
	}
	_, err := io.Copy(c.dst, c.src)
	return err
}
