package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
)

var errBroken = errors.New("the line is broken")

// breaking opens content that breaks in its middle.
type breaking struct{ content []byte }

func (b *breaking) open(_ context.Context, offset int64) (io.ReadCloser, error) {
	half := int64(len(b.content) / 2)
	rest := bytes.NewReader(b.content[min(offset, half):half])
	return io.NopCloser(io.MultiReader(rest, failing{})), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }
