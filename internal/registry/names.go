package registry

import (
	"context"
	"iter"

	"github.com/airbridge-dev/airbridge/internal/repo"
)

// names lists the repositories that have facts of a kind ("m/"), in lexical
// order, with a few seeks a name however many facts each has.
//
// The order of keys is not that of names: in "m/a-b@…" and "m/a@…" the '-' comes
// before the '@' (or the ':' of tags). So the first key after a name leads either to the next name or
// to one that the next name is a prefix of.
func names(ctx context.Context, f facts, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			next, err := nextName(ctx, f, prefix, after)
			if err != nil {
				yield("", err)
				return
			}
			if next == "" || !yield(next, nil) {
				return
			}
			after = next
		}
	}
}

// nextName returns the least name greater than after, "" at the end.
func nextName(ctx context.Context, f facts, prefix, after string) (string, error) {
	found, err := firstName(ctx, f, prefix, after)
	if err != nil || found == "" {
		return "", err
	}
	for i := 1; i < len(found); i++ {
		if found[i] > '@' || found[:i] <= after {
			continue // here the order of keys is that of names
		}
		there, err := anyFact(ctx, f, prefix+found[:i]+separator(prefix))
		if err != nil || there {
			return found[:i], err
		}
	}
	return found, nil
}

// firstName returns the name in the first key that comes after a name and is
// not that name's own.
func firstName(ctx context.Context, f facts, prefix, after string) (string, error) {
	start := prefix + after
	for {
		key, err := firstKey(ctx, f, prefix, start)
		if err != nil || key == "" {
			return "", err
		}
		_, name, _, ok := repo.SplitKey(key)
		if ok && name > after {
			return name, nil
		}
		start = prefix + name + separator(prefix) + "~" // after all keys of this name
	}
}

// separator is what ends the name in the keys of a kind.
func separator(prefix string) string {
	if prefix == repo.TagPrefix {
		return ":"
	}
	return "@"
}

func firstKey(ctx context.Context, f facts, prefix, after string) (string, error) {
	for e, err := range f.List(ctx, prefix, after) {
		return e.Key, err
	}
	return "", nil
}

func anyFact(ctx context.Context, f facts, prefix string) (bool, error) {
	key, err := firstKey(ctx, f, prefix, "")
	return key != "", err
}
