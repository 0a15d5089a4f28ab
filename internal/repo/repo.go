// Package repo has the contracts between everything that holds images and
// everything that moves or serves them. A Registry is a set of repositories: a
// remote registry, a store on disk, oc's v2/ directory, a read-only medium, a
// fake in a test. The engine copies from Sources to Sinks, the server answers
// HTTP from a Registry, and neither knows which kind it has.
//
// Errors of all implementations carry a code of package oci: a missing tag or
// manifest matches oci.ErrManifestUnknown, a missing blob oci.ErrBlobUnknown,
// a missing repository oci.ErrNameUnknown (oci.IsNotFound matches all three,
// because real registries mix them up), a refusal oci.ErrDenied or
// oci.ErrUnauthorized, an operation that this registry never offers
// oci.ErrUnsupported, content that is not what its digest says *CorruptError.
package repo

import (
	"context"
	"io"
	"iter"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Registry is a set of repositories.
type Registry interface {
	// Name says which registry this is, for messages: a host, a directory.
	Name() string
	// Repo returns a repository, which need not exist yet. It does no I/O. The
	// error matches oci.ErrNameInvalid.
	Repo(name string) (Repo, error)
	// Repositories lists the names after the given one, in lexical order. It
	// yields oci.ErrUnsupported where the registry has no such list.
	Repositories(ctx context.Context, after string) iter.Seq2[string, error]
}

// Repo is one repository of a Registry. One that cannot be written answers
// oci.ErrDenied ("read-only") or oci.ErrUnsupported to the methods of Sink.
type Repo interface {
	// Name returns the repository's name, without the registry.
	Name() string
	Source
	Sink
}

// Target selects a manifest by tag or by digest; exactly one is set. A digest
// wins where both are.
type Target struct {
	Tag    string
	Digest oci.Digest
}

// ByTag selects a manifest by its tag.
func ByTag(tag string) Target { return Target{Tag: tag} }

// ByDigest selects a manifest by its digest.
func ByDigest(d oci.Digest) Target { return Target{Digest: d} }

// String returns the digest or the tag, as it stands in a request's path.
func (t Target) String() string {
	if !t.Digest.IsZero() {
		return t.Digest.String()
	}
	return t.Tag
}

// Source reads one repository.
type Source interface {
	// Resolve returns the descriptor (type, digest, size) of a manifest
	// without its content. Size is -1 where the registry does not tell.
	Resolve(ctx context.Context, t Target) (oci.Descriptor, error)
	// Manifest returns a manifest's descriptor and bytes in one request. The
	// bytes are verified: against t.Digest if set, else against the digest the
	// registry gave.
	Manifest(ctx context.Context, t Target) (oci.Descriptor, []byte, error)
	// StatBlob returns the size of a blob that this repository lets be read.
	StatBlob(ctx context.Context, d oci.Digest) (oci.Descriptor, error)
	// OpenBlob reads a blob from an offset in bytes. The content is NOT
	// verified here: whoever consumes it hashes it (see NewVerifier), because
	// each byte is hashed once. A reader over a network mends itself: it goes
	// on at its offset after a fault that may pass. Where the content is a
	// plain file, the reader also is a LocalFile.
	OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error)
	// Tags lists the tags after the given one, in lexical order. A repository
	// that does not exist yields oci.ErrNameUnknown.
	Tags(ctx context.Context, after string) iter.Seq2[string, error]
	// Referrers lists the manifests whose subject is the given digest, each
	// with its artifact type and annotations. None is no error.
	Referrers(ctx context.Context, subject oci.Digest) iter.Seq2[oci.Descriptor, error]
}

// ReferrersProber is the optional power of a source that may keep referrers
// only under tags, to say so: where it does not list them itself, one without
// the tag sha256-<hex> of a subject has none for it.
type ReferrersProber interface {
	// ListsReferrers finds out by asking for those of a manifest that is there.
	ListsReferrers(ctx context.Context, subject oci.Digest) (bool, error)
}

// TagLister is the optional power of a source over a network to list its tags
// only if that takes few requests.
type TagLister interface {
	// TagsWithin lists the tags with at most so many requests. whole tells
	// whether these are all; the order is that of the registry.
	TagsWithin(ctx context.Context, requests int) (tags []string, whole bool, err error)
}

// LocalFile is the optional power of a blob reader whose content is a plain
// file positioned at the offset asked for; *os.File itself satisfies it, which
// lets the kernel send it (sendfile).
type LocalFile interface {
	io.ReadSeekCloser
	Fd() uintptr
}

// Opener opens content at an offset in bytes. It may be called again, at any
// offset, any number of times: that is the whole story of retry and resume.
type Opener func(ctx context.Context, offset int64) (io.ReadCloser, error)

// Outcome says how a blob came to be in a repository.
type Outcome int

// The outcomes of PutBlob.
const (
	Sent    Outcome = iota // its bytes were transferred
	Present                // it was there already
	Mounted                // the registry linked it from another of its repositories
)

func (o Outcome) String() string { return [...]string{"sent", "present", "mounted"}[o] }

// Sink writes one repository.
type Sink interface {
	// Missing returns those of the blobs that the repository lacks.
	Missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error)
	// PutBlob makes the repository hold a blob. It asks for the blob from
	// "from", another repository of the same registry, first where from is not
	// "", and reads content only if that fails. The content is verified
	// against desc, digest and size, before it becomes visible; what does not
	// match is a *CorruptError with Side source, and nothing is left.
	PutBlob(ctx context.Context, desc oci.Descriptor, content Opener, from string) (Outcome, error)
	// PutManifest stores a manifest by its digest and points the tags at it.
	// Everything it needs must be there: blobs, and children unless the
	// registry accepts sparse indexes; else oci.ErrManifestBlobUnknown.
	// Without tags it is kept until somebody deletes it.
	PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error
	// DeleteTag, DeleteManifest (with all its tags) and DeleteBlob remove one
	// thing; what is not there is a not-found error.
	DeleteTag(ctx context.Context, tag string) error
	DeleteManifest(ctx context.Context, d oci.Digest) error
	DeleteBlob(ctx context.Context, d oci.Digest) error
}

// Checkpointer is the optional power of a registry that gathers writes and
// makes them durable together. Until Checkpoint returns nil, nothing written
// since the last one may be relied on after a crash, nor need be visible to
// another process. The engine calls it now and then and at the end of a run.
// An error voids everything since the last checkpoint and is final.
type Checkpointer interface {
	Checkpoint(ctx context.Context) error
}

// Prober is the optional power of a registry to answer, before any content is
// sent, whether this run may write to a repository.
type Prober interface {
	// CanPush returns nil, or the error a push would get.
	CanPush(ctx context.Context, repository string) error
}

// Space is the optional power of a registry on a disk.
type Space interface {
	// Free returns how many bytes may still be written here.
	Free(ctx context.Context) (int64, error)
	// Largest returns the largest blob in bytes that can be stored, 0 for no limit.
	Largest() int64
}
