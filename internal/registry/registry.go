// Package registry is the local registry: repositories, tags, manifests and
// blobs over a blob store (cas) and a store of facts (kv), whatever these two
// keep their bytes in. It decides what may be read where, what keeps a blob
// alive, and in which order content and facts become durable.
//
// A blob is readable in a repository while there is a BlobFact for it there:
// held by a manifest of that repository, or leased for 24 hours to whoever put
// or mounted it. A manifest is readable while there is a ManifestFact. A fact
// is made durable only after all the content it speaks of.
package registry

import (
	"context"
	"iter"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Defaults of Options.
const (
	DefaultLease      = 24 * time.Hour
	DefaultMaxUploads = 1000
)

// Options are the choices of whoever opens a registry.
type Options struct {
	// ReadOnly refuses all writes with oci.ErrUnsupported.
	ReadOnly bool
	// Batch gathers writes until Checkpoint makes them durable together, as a
	// mirror run wants it. Without it each write returns when it is durable, as
	// a server must answer; writes at once share one flush.
	Batch bool
	// Now is the clock that leases and upload sessions are measured by.
	Now func() time.Time
	// Lease is how long a blob that no manifest names stays, and how long an
	// upload session waits to be taken up; 0 is DefaultLease.
	Lease time.Duration
	// Sparse takes image manifests although blobs they name are not there, as
	// mirrors filtered by size or kind push them. A blob then is readable until
	// a collection, because nobody can tell at its arrival whether it is named.
	Sparse bool
	// MaxUploads is how many upload sessions may be open; 0 is
	// DefaultMaxUploads.
	MaxUploads int
	// MinFree is how many bytes of the disk are never filled.
	MinFree int64
}

// Registry implements repo.Registry, repo.Checkpointer, repo.Space and
// repo.Prober. All methods may be called at once from many goroutines.
type Registry struct {
	name    string
	opts    Options
	blobs   cas.Store
	ledger  *ledger
	reads   facts // what readers see: durable facts, or the ledger in a batch
	claims  *claims
	locks   *locks
	uploads *uploads
}

// New makes a registry over two stores, which stay the caller's to close. name
// says which registry this is in messages: a directory, mostly. It does no I/O.
func New(name string, blobs cas.Store, store kv.Store, o Options) *Registry {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.MaxUploads == 0 {
		o.MaxUploads = DefaultMaxUploads
	}
	r := &Registry{name: name, opts: o, blobs: blobs, ledger: newLedger(store, blobs), reads: store}
	if o.Batch {
		r.reads = r.ledger
	}
	r.claims, r.locks, r.uploads = newClaims(), newLocks(), newUploads()
	return r
}

// Name implements repo.Registry.
func (r *Registry) Name() string { return r.name }

// Repo implements repo.Registry. The Repo is also a repo.Uploader.
func (r *Registry) Repo(name string) (repo.Repo, error) {
	if err := oci.CheckName(name); err != nil {
		return nil, err
	}
	return &repository{Registry: r, name: name}, nil
}

// Repositories implements repo.Registry: a repository is there while it has a
// manifest.
func (r *Registry) Repositories(ctx context.Context, after string) iter.Seq2[string, error] {
	return names(ctx, r.reads, repo.ManifestPrefix, after)
}

// Checkpoint implements repo.Checkpointer: on return all that was written
// before is durable, content first, then the facts.
func (r *Registry) Checkpoint(ctx context.Context) error { return r.ledger.flush(ctx) }

// Close makes everything durable. The stores stay open.
func (r *Registry) Close(ctx context.Context) error { return r.Checkpoint(ctx) }

// CanPush implements repo.Prober.
func (r *Registry) CanPush(_ context.Context, repository string) error {
	if err := oci.CheckName(repository); err != nil {
		return err
	}
	return r.writable()
}

// Free implements repo.Space: what may be written without touching the part of
// the disk that is kept free.
func (r *Registry) Free(ctx context.Context) (int64, error) {
	free, err := r.blobs.Free(ctx)
	return max(free-r.opts.MinFree, 0), err
}

// Largest implements repo.Space.
func (r *Registry) Largest() int64 { return r.blobs.Limits().LargestBlob }

// acknowledge returns when what the caller enqueued may be answered for: at
// once in a batch, else once it is durable.
func (r *Registry) acknowledge(ctx context.Context) error {
	if r.opts.Batch {
		return nil
	}
	return r.ledger.flush(ctx)
}

func (r *Registry) writable() error {
	if r.opts.ReadOnly {
		return oci.ErrUnsupported.With(r.name + " is read-only")
	}
	return nil
}

// room returns a *repo.SpaceError unless so many bytes may still be written.
func (r *Registry) room(ctx context.Context, need int64) error {
	free, err := r.Free(ctx)
	if err != nil {
		return err
	}
	if free < need {
		return &repo.SpaceError{Path: r.name, Need: need, Free: free}
	}
	return nil
}

// repository is one repository. It has no state of its own.
type repository struct {
	*Registry
	name string
}

// Name implements repo.Repo.
func (p *repository) Name() string { return p.name }

func (p *repository) String() string { return p.Registry.name + "/" + p.name }
