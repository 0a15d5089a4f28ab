// Package cas has the contract of a content-addressed blob store, and its
// implementations on a file system and in memory. A blob in it is complete and
// verified; what is still being written is a partial, known by an id.
package cas

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Store holds blobs by digest. All methods may be called at once from many
// goroutines. A blob that is not there matches oci.ErrBlobUnknown.
type Store interface {
	// Stat returns the size of a blob in bytes.
	Stat(ctx context.Context, d oci.Digest) (int64, error)
	// Open reads a blob from an offset. Where the content is a plain file the
	// reader is a repo.LocalFile. The content is not hashed on the way out.
	Open(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error)
	// Create starts a partial under an id: [A-Za-z0-9_.-], at most 140
	// characters. One that exists is begun anew. algorithm "" is the canonical
	// one. An id that is being written by another Writer is an error that
	// matches oci.ErrBlobUploadInvalid.
	Create(ctx context.Context, id, algorithm string) (Writer, error)
	// Resume takes up a partial where it was suspended or where a killed
	// process left it. What another process left is hashed again, so nothing on
	// the disk is believed. oci.ErrBlobUploadUnknown if there is none.
	Resume(ctx context.Context, id string) (Writer, error)
	// Sync makes every commit that returned before the call durable; one call
	// serves all that wait (group commit). The first call does the same for the
	// blobs that earlier processes left. After an error nothing committed since
	// the last good Sync may be relied on, and the store takes no more writes.
	Sync(ctx context.Context) error
	// Delete removes a blob.
	Delete(ctx context.Context, d oci.Digest) error
	// Walk lists the blobs in no order.
	Walk(ctx context.Context) iter.Seq2[Blob, error]
	// Partials lists what was begun and neither committed nor aborted.
	Partials(ctx context.Context) iter.Seq2[Partial, error]
	// DeletePartial removes a partial that no Writer holds.
	DeletePartial(ctx context.Context, id string) error
	// Limits says what this store can hold.
	Limits() Limits
	// Free returns how many bytes may still be written.
	Free(ctx context.Context) (int64, error)
}

// Writer takes the bytes of one partial, hashing them as they pass. Not for
// several goroutines. It ends with exactly one of Suspend, Commit and Abort.
type Writer interface {
	io.Writer
	// Offset is the number of bytes in the partial.
	Offset() int64
	// Suspend closes the writer and keeps the partial for Resume.
	Suspend() error
	// Commit makes the partial the blob d, visible to this process at once and
	// durable after the next Sync. Content that is not d is removed, and the
	// error matches oci.ErrDigestInvalid. A blob that is there already is fine.
	Commit(ctx context.Context, d oci.Digest) error
	// Abort removes the partial.
	Abort() error
}

// Blob is one entry of Walk.
type Blob struct {
	Digest  oci.Digest
	Size    int64
	ModTime time.Time
}

// Partial is one entry of Partials.
type Partial struct {
	ID      string
	Size    int64
	ModTime time.Time
}

// Limits is what a store cannot exceed; zero values mean no limit.
type Limits struct {
	LargestBlob int64 // bytes
	Writers     int   // partials written at once
	Names       int   // blobs in one directory
}
