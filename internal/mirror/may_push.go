package mirror

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// askedAtOnce bounds the questions to one registry at the same time.
const askedAtOnce = 8

// chooser is the power of a remote registry to know whom to ask about.
type chooser interface {
	Ask(repositories []string) []string
}

// checkPush asks a registry whether images may be pushed to it. The answer to
// the first question also shows what product it is, on which it depends about
// how many repositories it has to be asked.
func checkPush(ctx context.Context, reg repo.Registry, places []plan.Place) error {
	prober, ok := reg.(repo.Prober)
	if !ok {
		return nil
	}
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Repo
	}
	a := asker{prober, places[0].Registry}
	first := choose(reg, names)[0]
	err := a.ask(ctx, first)
	if r, ok := reg.(internalRegistry); ok && r.InternalOpenShift() {
		return &InternalRegistryError{Host: reg.Name()}
	}
	if err != nil && !ofOneRepository(err) {
		return err
	}
	return firstOf(append([]error{err}, a.askAll(ctx, choose(reg, names)[1:])...))
}

// choose names the repositories to be asked about, the first of them first
// whatever is known of the registry.
func choose(reg repo.Registry, names []string) []string {
	if c, ok := reg.(chooser); ok {
		return c.Ask(names)
	}
	return names[:1] // a directory has one answer for all
}

// asker asks one registry whether it would take a push.
type asker struct {
	prober   repo.Prober
	registry string
}

func (a asker) ask(ctx context.Context, name string) error {
	if err := a.prober.CanPush(ctx, name); err != nil {
		at := plan.Place{Registry: a.registry, Repo: name}
		return &repo.Error{Op: "checking that images may be pushed to", Side: repo.SideDestination, Ref: at.String(), Err: err}
	}
	return nil
}

func (a asker) askAll(ctx context.Context, names []string) []error {
	errs := make([]error, len(names))
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for i, name := range names {
		g.Go(func() error {
			errs[i] = a.ask(ctx, name)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errs
}

// ofOneRepository reports refusals that say nothing of other repositories, so
// that it is worth finding all of them: the user can then make what is missing
// at once.
func ofOneRepository(err error) bool {
	e, ok := errors.AsType[*remote.PushError](err)
	return ok && (e.Reason == remote.NoRepository || e.Reason == remote.NoProject)
}

// firstOf returns the first error, with the repositories of the others that are
// refused for the same reason.
func firstOf(errs []error) error {
	var out error
	var all *remote.PushError
	for _, err := range errs {
		e, refused := errors.AsType[*remote.PushError](err)
		switch {
		case err == nil:
		case out == nil:
			out, all = err, e
		case refused && all != nil && e.Reason == all.Reason:
			all.Repos = append(all.Repos, e.Repos...)
		}
	}
	return out
}
