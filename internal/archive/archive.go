// Package archive writes the archives in which the commands of a release are
// handed on, the list of their checksums and its signature (oc.md 13.3).
//
// The same input makes the same bytes, signatures apart.
package archive

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// level is that of oc: programs hardly get smaller by more work.
const level = 3

const readmeName = "README.md"

const (
	programMode = 0o755
	readmeMode  = 0o644
)

// Archive is one program and what is said of it.
type Archive struct {
	// Readme is the text of README.md, with \n at the end of lines; "" for none.
	Readme string
	// Name is what the program is called, Body its content of Size bytes.
	Name string
	Size int64
	Body io.Reader
	// Links are further names of the program, in a tar archive alone.
	Links []string
	// Modified is the time of every entry, in whole seconds.
	Modified time.Time
}

// TarGz writes a as a tar archive compressed with gzip; further names are hard
// links. A Body of another size than was said is an error.
func TarGz(w io.Writer, a Archive) error {
	gz, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return err
	}
	gz.ModTime = time.Unix(0, 0) // written as 0, which is none
	tw := tar.NewWriter(gz)
	if err := a.writeTar(tw); err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return gz.Close()
}

func (a Archive) writeTar(tw *tar.Writer) error {
	if a.Readme != "" {
		if err := tw.WriteHeader(a.header(readmeName, readmeMode, int64(len(a.Readme)))); err != nil {
			return err
		}
		if _, err := io.WriteString(tw, a.Readme); err != nil {
			return err
		}
	}
	if err := tw.WriteHeader(a.header(a.Name, programMode, a.Size)); err != nil {
		return err
	}
	if err := a.copyBody(tw); err != nil {
		return err
	}
	for _, name := range a.Links {
		h := a.header(name, programMode, 0)
		h.Typeflag, h.Linkname = tar.TypeLink, a.Name
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
	}
	return nil
}

func (a Archive) header(name string, mode, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: a.modified()}
}

// modified has neither fractions nor a time zone: both would show in the archive.
func (a Archive) modified() time.Time { return a.Modified.UTC().Truncate(time.Second) }

// copyBody copies the program and checks its size.
func (a Archive) copyBody(w io.Writer) error {
	n, err := io.CopyN(w, a.Body, a.Size)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n < a.Size {
		return fmt.Errorf("archiving %s: it was to have %d bytes, and has %d", a.Name, a.Size, n)
	}
	if more, _ := io.ReadFull(a.Body, make([]byte, 1)); more > 0 {
		return fmt.Errorf("archiving %s: it was to have %d bytes, and has more", a.Name, a.Size)
	}
	return nil
}

// firstYear is the first that a zip archive has a date for.
const firstYear = 1980

// Zip writes a as a zip archive, which has no links. The lines of the README
// end as on Windows.
func Zip(w io.Writer, a Archive) error {
	if len(a.Links) > 0 {
		return fmt.Errorf("archiving %s: a zip archive cannot have the further name %s", a.Name, a.Links[0])
	}
	zw := zip.NewWriter(w)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) })
	if err := a.writeZip(zw); err != nil {
		return err
	}
	return zw.Close()
}

func (a Archive) writeZip(zw *zip.Writer) error {
	if a.Readme != "" {
		w, err := zw.CreateHeader(a.zipHeader(readmeName, readmeMode))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, strings.ReplaceAll(a.Readme, "\n", "\r\n")); err != nil {
			return err
		}
	}
	w, err := zw.CreateHeader(a.zipHeader(a.Name, programMode))
	if err != nil {
		return err
	}
	return a.copyBody(w)
}

func (a Archive) zipHeader(name string, mode fs.FileMode) *zip.FileHeader {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.modified()}
	if h.Modified.Year() < firstYear {
		h.Modified = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	h.SetMode(mode)
	return h
}
