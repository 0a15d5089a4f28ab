package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/repo"
)

// kinds are the prefixes of all facts that this version knows.
var kinds = []string{repo.BlobPrefix, repo.ManifestPrefix, repo.ReferrerPrefix, repo.TagPrefix}

// afterKind is behind all keys of a kind: no key, which is UTF-8, has that byte.
const afterKind = "\xff"

// checkKinds returns a *repo.VersionError if there are facts of a kind that a
// newer version must have added. Reading is no worse for them, and they are
// kept; but they may name content that looks as if nothing needed it.
func (r *Registry) checkKinds(ctx context.Context) error {
	for after := ""; ; {
		key, err := r.nextFact(ctx, after)
		switch {
		case err != nil || key == "":
			return err
		case len(key) < 2 || !slices.Contains(kinds, key[:2]):
			return &repo.VersionError{Path: r.name, Reason: fmt.Sprintf("it has facts of a kind that this airbridge does not know (%.40q)", key)}
		}
		after = key[:2] + afterKind
	}
}

// nextFact returns the first key after another, "" if there is none.
func (r *Registry) nextFact(ctx context.Context, after string) (string, error) {
	for e, err := range r.ledger.List(ctx, "", after) {
		return e.Key, err
	}
	return "", nil
}
