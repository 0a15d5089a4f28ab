package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is a file of an archive; one whose name ends with / is a directory.
type entry struct {
	name    string
	mode    fs.FileMode // 0 is 0644
	content []byte
}

func (e entry) isDir() bool { return strings.HasSuffix(e.name, "/") }

// below puts entries into a directory, adds those that they are in, and sorts.
func below(dir string, entries []entry) []entry {
	dirs := map[string]bool{}
	var out []entry
	for _, e := range entries {
		e.name = path.Join(dir, e.name)
		if e.mode == 0 {
			e.mode = 0o644
		}
		out = append(out, e)
		for d := path.Dir(e.name); d != "."; d = path.Dir(d) {
			dirs[d+"/"] = true
		}
	}
	for d := range dirs {
		out = append(out, entry{name: d, mode: fs.ModeDir | 0o755})
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return out
}

// writeTar writes entries as tar.gz: owned by root, all of one time, and a gzip
// header that says nothing of this machine.
func writeTar(w io.Writer, entries []entry, date time.Time) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	for _, e := range entries {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Mode: int64(e.mode.Perm()), Size: int64(len(e.content)),
			ModTime: date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if e.isDir() {
			h.Typeflag = tar.TypeDir
		}
		if err := archive.WriteHeader(h); err != nil {
			return err
		}
		if _, err := archive.Write(e.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return packed.Close()
}

// writeZip writes entries as zip.
func writeZip(w io.Writer, entries []entry, date time.Time) error {
	archive := zip.NewWriter(w)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: date}
		if e.isDir() {
			h.Method = zip.Store
		}
		h.SetMode(e.mode)
		out, err := archive.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := out.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}
