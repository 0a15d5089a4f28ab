package engine

import (
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Kind says what an Event is about.
type Kind int

// The kinds of events. Which fields of Event are set is said with each.
const (
	BlobBytes    Kind = iota // content was read: Item, Target, Desc, Bytes
	BlobStarted              // Item, Target, Desc
	BlobDone                 // Item, Target, Desc, Outcome
	ManifestDone             // Item, Target (its tags are those written), Desc: written, and durable
	ImagePresent             // Item, Target: it was complete before
	ImageDone                // Item: all targets done
	ImageFailed              // Item, Err: one of its targets; ImageDone does not follow
	Checkpoint               // gathered writes are durable
)

// Event is one thing that happened in a run.
type Event struct {
	Kind    Kind
	Item    *plan.Item
	Target  plan.Target
	Desc    oci.Descriptor
	Outcome repo.Outcome
	Bytes   int64
	Err     error
}

// Failure is an image that could not be copied.
type Failure struct {
	Item *plan.Item
	Err  error
}

// Report says what a run did. Copied counts the images asked for that it brought
// to all their targets, Attached the signatures and the like that went along,
// Bytes the content of blobs and manifests that was transferred.
type Report struct {
	Copied, Attached                  int
	Manifests, Sent, Mounted, Present int
	Bytes                             int64
	Failures                          []Failure
	// Done are the items that all their targets hold, those that did before too.
	Done []*plan.Item
}

// Failed counts the images asked for, and what is attached to images, with
// failures; each may have failed at several targets.
func (r *Report) Failed() (images, attached int) {
	seen := map[*plan.Item]bool{}
	for _, f := range r.Failures {
		switch {
		case seen[f.Item]:
		case f.Item.Subject.IsZero():
			images++
		default:
			attached++
		}
		seen[f.Item] = true
	}
	return images, attached
}

// ErrHeldBack is the failure of an image that must not be there before others
// that have failed.
var ErrHeldBack = errors.New("not written, because some of its components failed")

// ErrUnsigned is the failure of an image whose signature, or something else that
// is attached to it, has failed: it would be there without, and look complete.
var ErrUnsigned = errors.New("not written, because what is attached to it failed")

// sourceError marks an error as met while reading the source.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// manifestError marks an error as met while writing a manifest, whose bytes
// were verified when it was read: whatever is wrong is so at the destination.
type manifestError struct{ err error }

func (e *manifestError) Error() string { return e.err.Error() }
func (e *manifestError) Unwrap() error { return e.err }

// place gives an error its place: which image, from where to where, which side.
func place(err error, item *plan.Item, t plan.Target) error {
	if _, ok := errors.AsType[*repo.Error](err); ok {
		return err
	}
	side := repo.SideDestination
	_, manifest := errors.AsType[*manifestError](err)
	_, read := errors.AsType[*sourceError](err)
	_, corrupt := errors.AsType[*repo.CorruptError](err)
	if read || corrupt && !manifest {
		side = repo.SideSource
	}
	return &repo.Error{Op: "copying", Side: side, Ref: fmt.Sprintf("%s to %s", itemName(item), targetName(t)), Err: err}
}

func itemName(item *plan.Item) string {
	s := item.Source.String()
	if item.Ref.Tag != "" {
		return s + ":" + item.Ref.Tag
	}
	return s + "@" + item.Root.String()
}

func targetName(t plan.Target) string {
	if len(t.Tags) > 0 {
		return t.Place.String() + ":" + t.Tags[0]
	}
	return t.Place.String()
}
