package mirror

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// lookups is how many images are looked up at once. How many requests a
// registry then gets is up to its client.
const lookups = 32

// InfoOptions says how images are looked up for the info commands.
type InfoOptions struct {
	Rules cluster.MirrorRules
	// Filter chooses from lists. Of a release the one for Platform is taken
	// where several match, else the first, and its component images for the
	// platform of that.
	Filter   oci.PlatformFilter
	Platform oci.Platform
	// Images looks up every component image of a release.
	Images bool
	// All takes all images of a list that Filter keeps, where it is not a
	// release.
	All bool
}

// Info is a release, with what was found of its component images.
type Info struct {
	*release.Info
	// Places counts the component images that were looked up by the repository
	// that they were found in.
	Places map[ref.Ref]int
	// Unread says of each component image that was to be looked up and could
	// not be, why, in the order of the payload.
	Unread []error
}

// ReadInfo reads a release image, and its components where that is asked for:
// where they lie beside it, then by the mirror rules, then where the payload
// says. A component that cannot be read is a warning in the Info.
func ReadInfo(ctx context.Context, regs *Registries, from ref.Ref, o InfoOptions) (*Info, error) {
	finder := NewFinder(regs, o.Rules)
	contents, err := finder.Release(ctx, from, img.Within(o.Filter, o.Platform))
	if err != nil {
		return nil, err
	}
	info, err := release.NewInfo(from, contents)
	if err != nil || !o.Images {
		return &Info{Info: info}, err
	}
	out := &Info{Info: info}
	return out, out.readImages(ctx, finder, img.Within(o.Filter, info.Config.Platform))
}

// readImages looks all components up. It fails only where the context ends.
func (i *Info) readImages(ctx context.Context, finder *Finder, pick img.Pick) error {
	images, places, errs := make([]*img.Image, len(i.Tags)), make([]ref.Ref, len(i.Tags)), make([]error, len(i.Tags))
	var group errgroup.Group
	group.SetLimit(lookups)
	for n, tag := range i.Tags {
		group.Go(func() error {
			images[n], places[n], errs[n] = finder.image(ctx, tag.From, pick)
			return nil
		})
	}
	_ = group.Wait() // errors are kept one by one
	i.Places = map[ref.Ref]int{}
	for n, tag := range i.Tags {
		i.AddImage(tag.Name, images[n], errs[n])
		if errs[n] != nil {
			i.Unread = append(i.Unread, fmt.Errorf("tag %q: %w", tag.Name, errs[n]))
		} else {
			i.Places[places[n].Repository()]++
		}
	}
	return ctx.Err()
}

// image reads one image by digest, the first that pick chooses, and says where
// it was found.
func (f *Finder) image(ctx context.Context, at ref.Ref, pick img.Pick) (*img.Image, ref.Ref, error) {
	images, found, err := f.images(ctx, at, pick)
	if err != nil {
		return nil, ref.Ref{}, err
	}
	return images[0], found, nil
}

func (f *Finder) images(ctx context.Context, at ref.Ref, pick img.Pick) ([]*img.Image, ref.Ref, error) {
	if err := ctx.Err(); err != nil {
		return nil, ref.Ref{}, err
	}
	found, err := f.Find(ctx, at)
	if err != nil {
		return nil, ref.Ref{}, err
	}
	images, err := img.Read(ctx, found.Source, found.Target, pick)
	if err != nil {
		return nil, ref.Ref{}, &repo.Error{Op: OpReadImage, Side: repo.SideSource, Ref: found.At.String(), Err: err}
	}
	for _, im := range images {
		im.Name, im.Asked = at.Name(), at.Digest
	}
	return images, found.At, nil
}

// ImageInfo is what came of looking one image up.
type ImageInfo struct {
	Ref    ref.Ref
	Images []*img.Image // several only where all of a list were asked for
	Err    error
}

// ReadImages looks images up, those of a pattern in the order of their tags.
// Each has an error of its own; that of the call is of listing tags.
func ReadImages(ctx context.Context, regs *Registries, of ref.Pattern, o InfoOptions) ([]ImageInfo, error) {
	mappings, err := expandOne(ctx, regs, imagelist.Mapping{Source: of}, Observer{Info: func(string, ...any) {}})
	if err != nil {
		return nil, err
	}
	out := make([]ImageInfo, len(mappings))
	finder, pick := NewFinder(regs, o.Rules), img.Filter(o.Filter, o.All)
	var group errgroup.Group
	group.SetLimit(lookups)
	for n, m := range mappings {
		group.Go(func() error {
			images, _, err := finder.images(ctx, m.Source, pick)
			out[n] = ImageInfo{m.Source, images, err}
			return nil
		})
	}
	_ = group.Wait() // errors are kept one by one
	return out, ctx.Err()
}
