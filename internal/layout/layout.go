// Package layout reads an OCI image layout (OCI image-spec, image-layout.md) as
// the two storage contracts of a local registry: a cas.Store over its blobs/
// and a kv.Store of facts derived from index.json and what that leads to. It
// writes nothing, and refuses to.
//
// Layouts come from elsewhere: only regular files below the directory are
// read, digests are checked before they become names of files, and the number
// and size of what is read is limited.
package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"regexp"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

const (
	markerFile = "oci-layout"
	indexFile  = "index.json"
)

// Limits on what a layout may make us read.
const (
	maxMarker    = 4 << 10  // bytes of oci-layout
	maxIndex     = 64 << 20 // bytes of index.json
	maxManifests = 200_000  // manifests in all
)

// Layout is an open layout.
type Layout struct {
	CAS cas.Store
	KV  kv.Store
}

// Close gives back what Open took, which is nothing but memory.
func (*Layout) Close() error { return nil }

// Is reports whether a directory says that it is an OCI image layout.
func Is(files fsys.FS) bool {
	info, err := files.Lstat(markerFile)
	return err == nil && info.Mode().IsRegular()
}

// Open reads the index of a layout and every manifest it leads to; blobs are
// read later. Images that are named by a tag alone, or not at all, belong to a
// repository called name, which is made to fit: the name of the directory.
func Open(ctx context.Context, files fsys.FS, name string) (*Layout, error) {
	top, err := readIndex(files)
	if err != nil {
		return nil, fmt.Errorf("reading the OCI layout %s: %w", files.Root(), err)
	}
	b := &builder{blobs: cas.FS(files), name: repositoryName(name), seen: map[seen]bool{}}
	if err := b.index(ctx, top); err != nil {
		return nil, fmt.Errorf("reading the OCI layout %s: %w", files.Root(), err)
	}
	facts := kv.Mem()
	if err := facts.Apply(ctx, b.facts); err != nil {
		return nil, err
	}
	return &Layout{CAS: blobs{b.blobs}, KV: readOnly{facts}}, nil
}

// readIndex checks the marker's version and returns the entries of index.json.
func readIndex(files fsys.FS) ([]oci.Descriptor, error) {
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := readJSON(files, markerFile, maxMarker, &marker); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(marker.Version, "1.") {
		return nil, fmt.Errorf("layout version %.20q is not known, only 1.x", marker.Version)
	}
	var index struct {
		Manifests []oci.Descriptor `json:"manifests"`
	}
	err := readJSON(files, indexFile, maxIndex, &index)
	return index.Manifests, err
}

func readJSON(files fsys.FS, name string, limit int64, into any) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(text)) > limit {
		return fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// repositoryName makes a repository's name of a directory's.
func repositoryName(name string) string {
	if oci.CheckName(name) == nil {
		return name
	}
	fit := strings.Trim(unfit.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if oci.CheckName(fit) != nil {
		return "image"
	}
	return fit
}

// readOnly is a kv.Store that is not changed any more.
type readOnly struct{ kv.Store }

// Apply implements kv.Store.
func (readOnly) Apply(context.Context, []kv.Change) error { return kv.ErrReadOnly }

var errReadOnly = oci.ErrUnsupported.With("an OCI layout is read and not written")

// blobs is the blobs/ directory, for reading.
type blobs struct{ *cas.Files }

// Open implements cas.Store. What is no regular file is not there.
func (b blobs) Open(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	r, err := b.Files.Open(ctx, d, offset)
	if errors.Is(err, fsys.ErrNotRegular) || errors.Is(err, fsys.ErrLink) || errors.Is(err, fs.ErrNotExist) {
		return nil, oci.ErrBlobUnknown.With("no blob " + d.String())
	}
	return r, err
}

// Create implements cas.Store.
func (blobs) Create(context.Context, string, string) (cas.Writer, error) { return nil, errReadOnly }

// Resume implements cas.Store.
func (blobs) Resume(context.Context, string) (cas.Writer, error) { return nil, errReadOnly }

// Delete implements cas.Store.
func (blobs) Delete(context.Context, oci.Digest) error { return errReadOnly }

// Recheck refuses too: it would remove what is damaged.
func (blobs) Recheck(context.Context, oci.Digest) error { return errReadOnly }

// Partials implements cas.Store.
func (blobs) Partials(context.Context) iter.Seq2[cas.Partial, error] {
	return func(func(cas.Partial, error) bool) {}
}

// DeletePartial implements cas.Store.
func (blobs) DeletePartial(context.Context, string) error { return errReadOnly }
