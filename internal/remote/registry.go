package remote

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Registry implements repo.Registry and repo.Prober.
type Registry struct {
	name string
	host *host
}

var (
	_ repo.Registry = (*Registry)(nil)
	_ repo.Prober   = (*Registry)(nil)
)

// Name implements repo.Registry: the host as it was asked for.
func (r *Registry) Name() string { return r.name }

// Repo implements repo.Registry. Docker Hub's short names get their "library/".
func (r *Registry) Repo(name string) (repo.Repo, error) {
	return r.repo(name)
}

func (r *Registry) repo(name string) (*Repo, error) {
	if err := oci.CheckName(name); err != nil {
		return nil, err
	}
	path := name
	if r.host.name == apiHost("docker.io") && !strings.Contains(name, "/") {
		path = "library/" + name
	}
	return &Repo{registry: r, host: r.host, name: name, path: path}, nil
}

// InternalOpenShift reports whether this is OpenShift's internal registry,
// which cannot take a release: by its service or route name, or because it
// answered to a push by digest as that one does.
func (r *Registry) InternalOpenShift() bool { return r.host.internal.Load() }

// Repositories implements repo.Registry by the catalog, which only some
// registries have and few show to everybody: oci.ErrUnsupported where it is
// not there.
func (r *Registry) Repositories(ctx context.Context, after string) iter.Seq2[string, error] {
	c := call{
		method: http.MethodGet, path: "_catalog", query: url.Values{"n": {pageSize}},
		scope: scope{want: []string{"registry:catalog:*"}}, ok: []int{http.StatusOK}, missing: oci.ErrUnsupported,
	}
	return r.host.list(ctx, c, after, func(l listAnswer) []*string { return l.Repositories })
}

// CanPush implements repo.Prober: it opens an upload and cancels it.
func (r *Registry) CanPush(ctx context.Context, repository string) error {
	p, err := r.repo(repository)
	if err != nil {
		return err
	}
	var s session
	err = r.host.do(ctx, p.startCall(push(p.path), nil), func(resp *http.Response) error {
		return s.moved(resp)
	})
	if err == nil {
		p.cancel(ctx, &s)
		return nil
	}
	p.explainPush(err)
	return err
}

// explainPush adds what is known of the target registries' ways to refuse
// (peers.md 3).
func (r *Repo) explainPush(err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	nested := strings.Count(r.path, "/") >= 2
	switch {
	case e.Status == http.StatusNotFound && mentions(e, "project"):
		e.addHint("create the project " + firstElement(r.path) + " first")
	case nested && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		e.addHint("some registries refuse repository names of more than two parts")
	case e.Status == 0 && strings.Contains(r.host.name, ".ecr."):
		e.addHint("ECR closes the connection where the repository does not exist")
	case e.Status == http.StatusNotFound:
		e.addHint("the repository may have to be created first")
	}
}

func (e *Error) addHint(hint string) {
	if e.Hint != "" {
		hint = e.Hint + "; " + hint
	}
	e.Hint = hint
}

func mentions(e *Error, word string) bool {
	for _, c := range e.Codes {
		if strings.Contains(strings.ToLower(c.Message), word) {
			return true
		}
	}
	return strings.Contains(strings.ToLower(e.text), word)
}

func firstElement(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}
