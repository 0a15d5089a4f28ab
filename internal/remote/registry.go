package remote

import (
	"context"
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
// which cannot take a release: by its service or route name, by its token
// service, or because it answered to a push by digest as that one does.
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
