package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

type linkKind int

const (
	noLink linkKind = iota
	symbolic
	hard
)

// header is what an entry of a layer says.
type header struct {
	name    string // relative to the root of the image, clean
	kind    byte
	regular bool
	link    linkKind
	target  string // of a link, as it is written
	size    int64
}

func (h header) dir() bool { return h.kind == tar.TypeDir }

// newHeader returns false for what does not lie in the image.
func newHeader(h *tar.Header) (header, bool) {
	name, ok := EntryName(h.Name)
	out := header{name: name, kind: h.Typeflag, target: h.Linkname, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		out.regular = true
	case tar.TypeSymlink:
		out.link = symbolic
	case tar.TypeLink:
		out.link = hard
	}
	return out, ok && (name != "." || out.dir()) // the root is a directory, whatever a layer says
}

// scan shows the entries of a layer and verifies it to its end, because a part
// cannot be verified, unless visit wants none of it (errPast). What is wrong with
// the content explains what is wrong with the archive, so it is told first.
func (r *Reader) scan(ctx context.Context, desc oci.Descriptor, visit func(header, io.Reader) error) error {
	spool, done := io.Discard, func(bool) {}
	if r.Spool != nil {
		spool, done = r.Spool(desc)
	}
	whole, err := r.scanTo(ctx, desc, spool, visit)
	done(whole)
	return err
}

// scanTo is scan with a writer for the bytes of the layer. whole tells whether it
// got all of them, verified.
func (r *Reader) scanTo(ctx context.Context, desc oci.Descriptor, spool io.Writer, visit func(header, io.Reader) error) (whole bool, err error) {
	content, err := repo.OpenVerified(ctx, r.Source, desc, r.Name)
	if err != nil {
		return false, err
	}
	defer io.Closer(content).Close()
	r.total += desc.Size
	counted := &counter{ctx: ctx, r: r, content: io.TeeReader(content, spool)}
	err = r.archive(counted, visit)
	if errors.Is(err, errPast) {
		r.total = r.done
		return false, nil
	}
	if _, ours := errors.AsType[*writeError](err); ours || errors.Is(err, ErrLimit) {
		return false, fmt.Errorf("layer %s: %w", desc.Digest, err)
	}
	if _, corrupt := io.Copy(io.Discard, counted); corrupt != nil {
		return false, corrupt
	}
	if err != nil {
		return false, fmt.Errorf("layer %s: %w", desc.Digest, err)
	}
	return true, nil
}

// counter reads a layer, tells how far it is, and ends when the context does.
type counter struct {
	ctx     context.Context //nolint:containedctx // a reader has no other place for it
	r       *Reader
	content io.Reader
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.content.Read(p)
	c.r.done += int64(n)
	if c.r.Progress != nil {
		c.r.Progress(c.r.done, c.r.total)
	}
	return n, err
}

func (r *Reader) archive(content io.Reader, visit func(header, io.Reader) error) error {
	for e, err := range Entries(content, ArchiveLimits{r.limits.layer, r.limits.entries}) {
		if err != nil {
			return err
		}
		entry, ok := newHeader(e.Header)
		if !ok {
			continue
		}
		if err := visit(entry, e.Content); err != nil {
			return err
		}
	}
	return nil
}
