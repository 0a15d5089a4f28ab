package remote

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// mostAsked bounds the repositories of a registry of no known product that are
// asked about: a run may write to hundreds.
const mostAsked = 4

// Ask chooses from the repositories that a run will push to those for which
// CanPush has to be asked so that it holds for all of them. Where rights and
// existence go by project, that is one of each, with the longest name, and at
// ECR it is every one.
func (r *Registry) Ask(names []string) []string {
	var out []string
	asked := map[string]bool{}
	k := r.host.kind()
	for _, name := range deepestFirst(names) {
		if owner := k.owner(name); !asked[owner] {
			asked[owner] = true
			out = append(out, name)
		}
	}
	if k == "" {
		out = fill(out, deepestFirst(names))
	}
	return out
}

// fill cuts a choice to the most that is asked, or adds to it until then.
func fill(chosen, from []string) []string {
	for _, name := range from {
		if len(chosen) >= mostAsked {
			return chosen[:mostAsked]
		}
		if !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen
}

// owner is the part of a name that a product keeps rights by.
func (k kind) owner(name string) string {
	parts := strings.SplitN(name, "/", 3)
	switch {
	case k == kindECR:
		return name
	case k == kindGitLab && len(parts) > 1:
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

func deepestFirst(names []string) []string {
	return slices.SortedStableFunc(slices.Values(names), func(a, b string) int {
		return cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/"))
	})
}

// ChecksLists reports whether the registry is known to refuse lists whose
// images are not all there, so that it pays to ask it before the first blob.
func (r *Registry) ChecksLists() bool { return r.host.kind().checksChildren() }

// CanPush implements repo.Prober: it opens an upload and cancels it. A refusal
// whose reason is known is a *PushError.
func (r *Registry) CanPush(ctx context.Context, repository string) error {
	p, err := r.repo(repository)
	if err != nil {
		return err
	}
	var s session
	open := func(resp *http.Response) error { return s.moved(resp) }
	c := p.startCall(push(p.path), nil)
	err = r.host.once(ctx, c, open)
	if err != nil && transient(err) {
		if absent := p.absent(ctx, err); absent != nil {
			return p.explainPush(ctx, absent)
		}
		err = r.host.again(ctx, c, open, err)
	}
	if err != nil {
		return p.explainPush(ctx, err)
	}
	if r.host.kind() != kindECR { // which knows no way to cancel
		p.cancel(ctx, &s)
	}
	return nil
}

// absent asks ECR whether a repository exists after it broke the connection,
// which is its answer to a push to one that does not (containers-roadmap
// issue 1970); nil means that it does, or that this is not ECR.
func (r *Repo) absent(ctx context.Context, cause error) error {
	if _, answered := asError(cause); answered || r.host.kind() != kindECR {
		return nil
	}
	c := call{
		method: http.MethodGet, path: r.path + "/tags/list", query: url.Values{"n": {"1"}},
		scope: pull(r.path), ok: []int{http.StatusOK}, missing: oci.ErrNameUnknown,
	}
	err := r.host.once(ctx, c, nil)
	if e, ok := asError(err); ok && r.said(e) == NoRepository {
		return err
	}
	return nil
}
