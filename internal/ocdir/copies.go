package ocdir

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// CheckCopies implements cas.CopyChecker. Where links became files, a
// repository's copy of a blob may be damaged while another's is not.
func (b *blobs) CheckCopies(ctx context.Context, damaged func(d oci.Digest, reason string)) error {
	all, err := b.tree.repositories(ctx, true)
	if err != nil {
		return err
	}
	for _, name := range all.at {
		manifests, err := b.tree.digests(manifestsPath(name))
		if err != nil {
			return err
		}
		blobs, err := b.tree.digests(blobsPath(name))
		if err != nil {
			return err
		}
		for _, d := range append(manifests, blobs...) {
			if err := b.checkCopies(ctx, name, d, damaged); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCopies hashes the files of one digest in one repository.
func (b *blobs) checkCopies(ctx context.Context, name string, d oci.Digest, damaged func(oci.Digest, string)) error {
	first, info, err := b.tree.find(ctx, d)
	if err != nil && !absent(err) {
		return err
	}
	places := slices.DeleteFunc(b.tree.places(name, d), func(a at) bool { return err == nil && a == first })
	for _, a := range places {
		other, statErr := b.tree.content(a.path(d), d)
		if statErr == nil && err == nil && os.SameFile(info, other) {
			continue
		}
		wrong := checkFile(ctx, b.fs, a.path(d), d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if wrong != nil && !errors.Is(wrong, os.ErrNotExist) {
			damaged(d, wrong.Error())
		}
	}
	return nil
}
