package repo

import (
	"context"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Uploader is the optional power of a Repo to take blobs in upload sessions
// (OCI distribution spec, Pushing blobs). Local registries have it; over any
// other the server answers 405.
type Uploader interface {
	// StartUpload opens a session. algorithm "" is the canonical one. It
	// returns oci.ErrTooManyRequests where too many are open.
	StartUpload(ctx context.Context, algorithm string) (Upload, error)
	// ResumeUpload takes up a session by its id; oci.ErrBlobUploadUnknown if
	// there is none in this repository. Only one holder at a time: a second
	// gets oci.ErrBlobUploadInvalid.
	ResumeUpload(ctx context.Context, id string) (Upload, error)
	// Mount links a blob from another repository of the registry that holds
	// it; oci.ErrBlobUnknown where from does not hold it. With from "" any
	// repository that the caller may read is looked through.
	Mount(ctx context.Context, d oci.Digest, from string) (oci.Descriptor, error)
}

// Upload is an open session, held by one request at a time. Each holder ends
// with exactly one of Suspend, Commit and Abort.
type Upload interface {
	ID() string
	// Offset is the number of bytes taken so far.
	Offset() int64
	io.Writer
	// Suspend keeps what was written for ResumeUpload, also over a restart.
	Suspend() error
	// Commit verifies the content and makes it a blob of the repository. It
	// returns once that is durable; oci.ErrDigestInvalid where the content is
	// something else, and then the session is gone.
	Commit(ctx context.Context, d oci.Digest) error
	// Abort forgets the session.
	Abort() error
}
