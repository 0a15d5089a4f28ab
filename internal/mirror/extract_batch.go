package mirror

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/codesign"
	"github.com/airbridge-dev/airbridge/internal/patch"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// writeError is a failure on our side of an extraction, not of the image.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

func (x *Extractor) ownError(err error) bool {
	_, own := errors.AsType[*writeError](err)
	return own
}

// toolBatch are the tools of one component while it is read.
type toolBatch struct {
	x       *Extractor
	tools   map[string]release.Tool // by path
	pending []*pendingTool          // read, of a layer that is not verified yet
	files   []File                  // written
}

type pendingTool struct {
	*output
	tool     release.Tool
	modified time.Time
}

func (b *toolBatch) add(tools []release.Tool) (paths []string) {
	for _, t := range tools {
		b.tools[t.Path] = t
		paths = append(paths, t.Path)
	}
	return paths
}

// take copies a tool to a file without a name, and writes the values into it.
func (b *toolBatch) take(f release.ImageFile, content io.Reader) error {
	out, err := newOutput(b.x.Dir)
	if err != nil {
		return &writeError{err}
	}
	tool := b.tools[f.Path]
	b.pending = append(b.pending, &pendingTool{out, tool, f.ModTime})
	buffered := bufio.NewWriterSize(out, 1<<20)
	missing, err := patch.Copy(buffered, content, tool.Replacements(b.x.Values)...)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return &writeError{fmt.Errorf("writing %s: %w", tool.Name, err)}
	}
	if len(missing) > 0 {
		b.x.Warn("Unable to make all expected replacements in %s.  Remaining: %s", tool.Name, strings.Join(missing, ", "))
	}
	return nil
}

// finish gives the tools of a verified layer their names.
func (b *toolBatch) finish() error {
	for _, p := range b.pending {
		b.sign(p)
		f, err := b.x.settle(p)
		if err != nil {
			return &writeError{err}
		}
		b.files = append(b.files, f)
	}
	b.discard()
	return nil
}

// sign mends the signature of a macOS program that values were written into.
// Without it the program may still be signed by hand, so it is kept.
func (b *toolBatch) sign(p *pendingTool) {
	if p.tool.OS != "darwin" || len(p.tool.Replacements(b.x.Values)) == 0 {
		return
	}
	size, err := p.size()
	if err != nil {
		return // writing will fail as well, and say why
	}
	signed, err := codesign.Signed(p, size)
	if err == nil && (signed || p.tool.Sign) {
		_, err = codesign.Sign(p, size)
	}
	if err != nil {
		b.x.Warn("%s for macOS could not be signed after its values were written: %v; sign it with codesign -s - before use", p.tool.Name, err)
	}
}

// discard removes what did not get a name.
func (b *toolBatch) discard() {
	for _, p := range b.pending {
		p.discard()
	}
	b.pending = nil
}

// settle gives a tool, or the archive it is put into, its name.
func (x *Extractor) settle(p *pendingTool) (File, error) {
	if !x.Archives {
		return File{Name: p.tool.Name}, p.finish(p.tool.Name, 0o755, p.modified)
	}
	size, err := p.size()
	if err != nil {
		return File{}, err
	}
	out, err := newOutput(x.Dir)
	if err != nil {
		return File{}, err
	}
	defer out.discard()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(sum, out), 1<<20)
	write := archive.TarGz
	if p.tool.Zip() {
		write = archive.Zip
	}
	err = write(buffered, archive.Archive{
		Readme: p.tool.Readme(x.Values.Version), Name: p.tool.Entry(), Size: size, Body: io.NewSectionReader(p, 0, size),
		Links: p.tool.Links, Modified: p.modified,
	})
	if err == nil {
		err = buffered.Flush()
	}
	f := File{Name: p.tool.Archive(x.Values.Version), SHA256: [sha256.Size]byte(sum.Sum(nil))}
	if err != nil {
		return File{}, fmt.Errorf("writing %s: %w", f.Name, err)
	}
	return f, out.finish(f.Name, 0o644, p.modified)
}
