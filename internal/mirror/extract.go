package mirror

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/codesign"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/patch"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// OpExtract is the Op of the errors of reading files out of an image.
const OpExtract = "extracting from image"

// Extractor takes the tools of one release out of its component images.
type Extractor struct {
	Finder  *Finder
	Release *release.Contents
	// Values are written into the tools that have room for them (oc.md 13.4).
	Values release.Values
	Dir    string // where the files go; it exists
	// Archives puts each tool into an archive of its own.
	Archives bool
	Warn     func(format string, args ...any)
	// Reading is told that a component is read. The first function it returns
	// is told how many bytes of how many were read, the second that it is over.
	Reading func(component string) (progress func(done, total int64), over func())
}

// File is a file that was written.
type File = archive.Sum

// MissingComponentsError says that a release lacks the images of tools, so that
// none of them is there.
type MissingComponentsError struct{ Components []string }

// Error implements error, in oc's words.
func (e *MissingComponentsError) Error() string {
	if len(e.Components) == 1 {
		return fmt.Sprintf("the image %q containing the desired command is not available", e.Components[0])
	}
	return "some required images are missing: " + strings.Join(e.Components, ", ")
}

// MissingFilesError says that images lack the files of tools.
type MissingFilesError struct {
	Files []string // paths in their images
	In    []string // the images, each once
}

// Error implements error, in oc's words.
func (e *MissingFilesError) Error() string {
	in := strings.Join(e.In, ", ")
	if len(e.Files) == 1 {
		return fmt.Sprintf("image did not contain %s: %s", e.Files[0], in)
	}
	return fmt.Sprintf("unable to find multiple files: %s, in %s", strings.Join(e.Files, ", "), in)
}

// Tools extracts tools. Each file is complete under its name, or not there: it
// gets its name after the layer that it is from was verified to the end. It
// returns the files in the order in which they were written. What
// an image lacks is told at the end, when everything else is there.
func (x *Extractor) Tools(ctx context.Context, tools []release.Tool) (files []File, err error) {
	groups, err := x.group(tools)
	if err != nil {
		return nil, err
	}
	missing := &MissingFilesError{}
	for _, g := range groups {
		written, lacking, err := x.component(ctx, g)
		files = append(files, written...)
		if err != nil {
			return files, err
		}
		if len(lacking) > 0 {
			missing.Files = append(missing.Files, lacking...)
			missing.In = append(missing.In, fmt.Sprintf("component %s, %s", g.name, g.image))
		}
	}
	if len(missing.Files) > 0 {
		slices.Sort(missing.Files)
		return files, missing
	}
	return files, nil
}

// toolGroup are the tools of one component.
type toolGroup struct {
	name  string
	image ref.Ref
	tools []release.Tool
}

// group puts tools together by their component, so that each is read once.
func (x *Extractor) group(tools []release.Tool) ([]*toolGroup, error) {
	images := map[string]ref.Ref{}
	for _, c := range x.Release.Components {
		images[c.Name] = c.From
	}
	var groups []*toolGroup
	byName := map[string]*toolGroup{}
	var lacking []string
	for _, t := range tools {
		g := byName[t.Component]
		switch image, ok := images[t.Component]; {
		case g != nil:
			g.tools = append(g.tools, t)
		case ok:
			g = &toolGroup{name: t.Component, image: image, tools: []release.Tool{t}}
			byName[t.Component], groups = g, append(groups, g)
		case !t.MayLack && !slices.Contains(lacking, t.Component):
			lacking = append(lacking, t.Component)
		}
	}
	slices.Sort(lacking)
	switch {
	case len(groups) == 0:
		return nil, &MissingComponentsError{lacking}
	case len(lacking) > 0:
		x.Warn("Some commands can not be extracted due to missing images: %s", strings.Join(lacking, ", "))
	}
	return groups, nil
}

// component extracts the tools of one component. missing are the files that it
// ought to have.
func (x *Extractor) component(ctx context.Context, g *toolGroup) (files []File, missing []string, err error) {
	found, err := x.Finder.Find(ctx, g.image)
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) error {
		if x.ownError(err) {
			return err
		}
		return &repo.Error{Op: OpExtract, Side: repo.SideSource, Ref: found.At.String(), Err: err}
	}
	platform := oci.Platform{OS: "linux", Architecture: x.Release.Arch}
	images, err := img.Read(ctx, found.Source, found.Target, img.Prefer(platform))
	if err != nil {
		return nil, nil, fail(err)
	}
	progress, over := x.Reading(g.name)
	defer over()
	batch := &toolBatch{x: x, tools: map[string]release.Tool{}}
	defer batch.discard()
	paths := batch.add(g.tools)
	reader := &release.FileReader{
		Source: found.Source, Name: found.At.String(), Layers: images[0].Layers,
		Found: batch.take, Verified: batch.finish, Progress: progress,
	}
	lacking, err := reader.ReadFiles(ctx, paths...)
	if err != nil {
		return batch.files, nil, fail(err)
	}
	for _, path := range lacking {
		if !batch.tools[path].MayLack {
			missing = append(missing, path)
		}
	}
	return batch.files, missing, nil
}

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
	return f, out.finish(f.Name, 0o755, p.modified)
}
