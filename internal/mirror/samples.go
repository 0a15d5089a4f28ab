package mirror

import (
	"context"
	"errors"
	"maps"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/samples"
)

// SampleRun is the copying of samples: images of image streams, of which some
// cannot be copied.
type SampleRun struct {
	Wishes []Wish
	images []samples.Image // of the wishes
	why    map[string]error
}

// absentError is why nobody tried to bring an image to the mirror in this run. An
// earlier one may have.
type absentError struct{ error }

var (
	errNotOnMedium error = absentError{errors.New("it is not on the medium")}
	errNotWanted   error = absentError{errors.New("it was not wanted")}
)

// PlanSamples says what is to be copied for image streams: each image from its
// registry to its place below to, a mirror or the samples of a medium. bad are
// images that cannot be mirrored at all.
func PlanSamples(images []samples.Image, bad map[string]error, to ref.Ref) (*SampleRun, error) {
	run := &SampleRun{why: map[string]error{}}
	maps.Copy(run.why, bad)
	for _, i := range images {
		if err := run.add(i, i.From, to); err != nil {
			return nil, err
		}
	}
	return run, nil
}

// FromMedium changes a run so that the images are read from a medium, pinned to
// the digests that its record has. Images that it has not are not copied.
func (r *SampleRun) FromMedium(medium *samples.ConfigMap, to ref.Ref) (*SampleRun, error) {
	out := &SampleRun{why: r.why}
	at := ref.Ref{Scheme: ref.File, Path: samples.Repository}
	for _, i := range r.images {
		digest, ok := medium.Recorded(i.Name)
		if !ok {
			out.why[i.Name] = errNotOnMedium
			continue
		}
		place, err := i.At(at)
		if err != nil {
			return nil, err
		}
		if err := out.add(i, place.WithDigest(digest), to); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *SampleRun) add(i samples.Image, from, to ref.Ref) error {
	at, err := i.At(to)
	if err != nil {
		return err
	}
	if !at.Digest.IsZero() {
		at = at.Repository() // pushed by digest alone
	}
	r.images = append(r.images, i)
	r.Wishes = append(r.Wishes, Wish{Mapping: plan.Mapping{Source: from, Destinations: []ref.Ref{at}}})
	return nil
}

// Done takes in what became of the wishes and returns the digests of the images
// that were copied, or were there, by their names.
func (r *SampleRun) Done(result *Result) map[string]oci.Digest {
	roots := map[ref.Ref]oci.Digest{}
	for _, item := range result.Plan.Items {
		if item.Subject.IsZero() {
			roots[item.Ref] = item.Root
		}
	}
	failed := failures(result)
	done := map[string]oci.Digest{}
	for n, w := range r.Wishes {
		name := r.images[n].Name
		root, planned := roots[w.Source]
		switch err := failed[w.Source.String()]; {
		case err != nil:
			r.why[name] = err
		case !planned:
			r.why[name] = errors.New("it was not copied")
		default:
			done[name] = root
		}
	}
	return done
}

// failures are what went wrong, by source.
func failures(result *Result) map[string]error {
	out := map[string]error{}
	for _, s := range result.Plan.Skipped {
		out[s.Ref] = absentError{errors.New(s.Why)}
	}
	for _, err := range result.Planning {
		if e, ok := errors.AsType[*repo.Error](err); ok {
			out[e.Ref] = e.Err
		}
	}
	if result.Report != nil {
		for _, f := range result.Report.Failures {
			if f.Item.Subject.IsZero() { // and not a signature of it
				out[f.Item.Ref.String()] = f.Err
			}
		}
	}
	return out
}

// Earlier takes in which images of streams are in the mirror although this run did
// not bring them there, streams that were not wanted among them. It asks for
// the images of one stream after the other, of each until one is not there. What
// was tried in this run and failed is not asked for. The error is the mirror's.
func (r *SampleRun) Earlier(ctx context.Context, regs *Registries, streams []samples.Stream, to ref.Ref) error {
	places := r.unseen(streams, to)
	for _, s := range streams {
		for _, t := range s.Tags {
			if absent, _ := errors.AsType[absentError](r.why[t.Image]); absent.error != nil {
				has, err := mirrorHas(ctx, regs, places[t.Image])
				if err != nil {
					return err
				}
				if has {
					delete(r.why, t.Image)
				}
			}
			if r.why[t.Image] != nil {
				break
			}
		}
	}
	return nil
}

// unseen notes images that were not wanted as missing, and says where in the
// mirror the images of streams would be.
func (r *SampleRun) unseen(streams []samples.Stream, to ref.Ref) map[string]ref.Ref {
	images, bad := samples.Images(streams)
	maps.Copy(r.why, bad)
	inRun := map[string]bool{}
	for _, i := range r.images {
		inRun[i.Name] = true
	}
	places := map[string]ref.Ref{}
	for _, i := range images {
		at, err := i.At(to)
		switch {
		case err != nil: // too long a name there
			r.why[i.Name] = err
		case !inRun[i.Name] && r.why[i.Name] == nil:
			r.why[i.Name] = errNotWanted
		}
		places[i.Name] = at
	}
	return places
}

// mirrorHas reports whether a mirror has an image under its tag or digest.
func mirrorHas(ctx context.Context, regs *Registries, at ref.Ref) (bool, error) {
	by := repo.ByDigest(at.Digest)
	if at.Digest.IsZero() {
		by = repo.ByTag(at.Tag)
	}
	has, err := hasImage(ctx, regs, at, by)
	if err != nil {
		return false, &repo.Error{Op: OpReadImage, Side: repo.SideDestination, Ref: at.String(), Err: err}
	}
	return has, nil
}

// Why returns why an image is not in the mirror, "" if it is.
func (r *SampleRun) Why(image string) string {
	if err := r.why[image]; err != nil {
		return err.Error()
	}
	return ""
}
