package registry

import (
	"context"
	"iter"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Usage is what a registry holds.
type Usage struct {
	Repositories []RepoUsage // in lexical order
	Blobs        int         // all content, manifests too, each digest once
	Bytes        int64       // of it
}

// RepoUsage is what one repository shows. What several repositories share
// counts in each of them.
type RepoUsage struct {
	Name      string
	Tags      int
	Manifests int
	Blobs     int   // config and layers, and blobs under a lease
	Bytes     int64 // of manifests and blobs
}

// Usage counts what is there, from facts and directory entries; it opens no
// content.
func (r *Registry) Usage(ctx context.Context) (Usage, error) {
	var out Usage
	for b, err := range r.blobs.Walk(ctx) {
		if err != nil {
			return out, err
		}
		out.Blobs++
		out.Bytes += b.Size
	}
	all, err := r.allNames(ctx)
	if err != nil {
		return out, err
	}
	for _, name := range all {
		u, err := (&repository{r, name}).usage(ctx)
		if err != nil {
			return out, err
		}
		out.Repositories = append(out.Repositories, u)
	}
	return out, nil
}

func (p *repository) usage(ctx context.Context) (RepoUsage, error) {
	u := RepoUsage{Name: p.name}
	for m, err := range p.manifests(ctx, p.reads) {
		if err != nil {
			return u, err
		}
		u.Manifests++
		u.Bytes += m.fact.Size
	}
	for b, err := range p.blobFacts(ctx, p.reads) {
		if err != nil {
			return u, err
		}
		if p.alive(b.fact) {
			u.Blobs++
			u.Bytes += b.fact.Size
		}
	}
	for _, err := range p.reads.List(ctx, repo.TagKey(p.name, ""), "") {
		if err != nil {
			return u, err
		}
		u.Tags++
	}
	return u, nil
}

// allNames lists the repositories that have any fact that keeps content.
func (r *Registry) allNames(ctx context.Context) ([]string, error) {
	var out []string
	for _, prefix := range []string{repo.ManifestPrefix, repo.BlobPrefix, repo.TagPrefix, repo.ReferrerPrefix} {
		for name, err := range names(ctx, r.reads, prefix, "") {
			if err != nil {
				return nil, err
			}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// entry is a digest of a repository with the fact that puts it there.
type entry[F any] struct {
	digest oci.Digest
	fact   F
}

// manifests lists those of the repository.
func (p *repository) manifests(ctx context.Context, f facts) iter.Seq2[entry[repo.ManifestFact], error] {
	return entries[repo.ManifestFact](ctx, f, repo.ManifestKey(p.name, oci.Digest{}))
}

// blobFacts lists the blobs of the repository, those with a lapsed lease too.
func (p *repository) blobFacts(ctx context.Context, f facts) iter.Seq2[entry[repo.BlobFact], error] {
	return entries[repo.BlobFact](ctx, f, repo.BlobKey(p.name, oci.Digest{}))
}

// entries lists the facts whose keys are a prefix and a digest.
func entries[F any](ctx context.Context, f facts, prefix string) iter.Seq2[entry[F], error] {
	return func(yield func(entry[F], error) bool) {
		for e, err := range f.List(ctx, prefix, "") {
			var out entry[F]
			if err == nil {
				out.fact, err = repo.DecodeFact[F](e.Key, e.Value)
			}
			if err == nil {
				out.digest, err = oci.ParseDigest(e.Key[len(prefix):])
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}
