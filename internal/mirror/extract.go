package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/archive"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
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
	missing, optional := &MissingFilesError{}, &MissingFilesError{}
	for _, g := range groups {
		written, lacking, err := x.component(ctx, g)
		files = append(files, written...)
		if err != nil {
			return files, err
		}
		for _, t := range lacking {
			if t.MayLack {
				optional.add(t.Path, g)
			} else {
				missing.add(t.Path, g)
			}
		}
	}
	switch {
	case len(missing.Files) > 0:
		return files, missing
	case len(files) == 0:
		return nil, optional // nothing at all is no success
	}
	return files, nil
}

func (e *MissingFilesError) add(path string, g *toolGroup) {
	e.Files = append(e.Files, path)
	if in := fmt.Sprintf("component %s, %s", g.name, g.image); !slices.Contains(e.In, in) {
		e.In = append(e.In, in)
	}
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
	var lacking, optional []string
	for _, t := range tools {
		g := byName[t.Component]
		switch image, ok := images[t.Component]; {
		case g != nil:
			g.tools = append(g.tools, t)
		case ok:
			g = &toolGroup{name: t.Component, image: image, tools: []release.Tool{t}}
			byName[t.Component], groups = g, append(groups, g)
		case t.MayLack:
			optional = append(optional, t.Component)
		default:
			lacking = append(lacking, t.Component)
		}
	}
	lacking, optional = once(lacking), once(optional)
	switch {
	case len(groups) == 0:
		return nil, &MissingComponentsError{once(append(lacking, optional...))}
	case len(lacking) > 0:
		x.Warn("Some commands can not be extracted due to missing images: %s", strings.Join(lacking, ", "))
	}
	return groups, nil
}

// once sorts names and leaves out what is there twice.
func once(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// component extracts the tools of one component. lacking are those that it does
// not have.
func (x *Extractor) component(ctx context.Context, g *toolGroup) (files []File, lacking []release.Tool, err error) {
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
	missing, err := reader.ReadFiles(ctx, paths...)
	if err != nil {
		return batch.files, nil, fail(err)
	}
	for _, path := range missing {
		lacking = append(lacking, batch.tools[path])
	}
	return batch.files, lacking, nil
}
