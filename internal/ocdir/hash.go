package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// checkFile hashes a file. The error matches oci.ErrDigestInvalid if it is not d.
func checkFile(ctx context.Context, files fsys.FS, path string, d oci.Digest) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := d.Hash()
	if err := pour(ctx, h, f); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !d.Matches(h) {
		return oci.ErrDigestInvalid.With(path + " has other content than its name says")
	}
	return nil
}

// pour reads all of src into dst, or ends early with ctx.
func pour(ctx context.Context, dst io.Writer, src io.Reader) error {
	buf := make([]byte, 128<<10)
	for ctx.Err() == nil {
		n, err := src.Read(buf)
		if _, werr := dst.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
