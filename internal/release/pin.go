package release

import "github.com/airbridge-dev/airbridge/internal/ref"

// PullSpec is the reference that pins an installer to the release (oc.md 13.4):
// the release image as it was asked for, with its digest for a tag. A release of several
// architectures has the digest of its list. What was read from a directory has
// no place that a cluster could pull it from, so it is where its makers publish
// it, which mirror rules lead back from; ok is false where they are not known.
func (p *Payload) PullSpec(from ref.Ref) (pin ref.Ref, ok bool) {
	if from.Scheme == ref.Registry {
		return from.WithDigest(p.Root()), true
	}
	origin, ok := p.origin()
	return origin.WithDigest(p.Root()), ok
}

// Pinned reports whether the tool is bound to a release by its pull spec.
func (t Tool) Pinned() bool { return t.markers == installer }
