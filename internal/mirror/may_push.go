package mirror

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
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
// how many repositories it has to be asked. Once one is refused, the others are
// asked about too, so that the user hears of all of them.
func (r *Refusals) checkPush(ctx context.Context, reg repo.Registry, places []plan.Place, o PreflightOptions) error {
	prober, ok := reg.(repo.Prober)
	if !ok {
		return nil
	}
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Repo
	}
	_, far := reg.(chooser)
	a := &asker{prober: prober, registry: places[0].Registry, goOn: o.GoOn && far, refused: map[string]error{}}
	a.ask(ctx, choose(reg, names)[:1])
	if r, ok := reg.(internalRegistry); ok && r.InternalOpenShift() {
		return &InternalRegistryError{Host: reg.Name()}
	}
	if a.fault == nil {
		a.ask(ctx, choose(reg, names)[1:])
	}
	a.unknown()
	if a.fault == nil && len(a.refused) > 0 {
		a.askRest(ctx, names)
	}
	return r.take(ctx, a, places)
}

// choose names the repositories to be asked about, the first of them first
// whatever is known of the registry.
func choose(reg repo.Registry, names []string) []string {
	if c, ok := reg.(chooser); ok {
		return c.Ask(names)
	}
	return names[:1] // a directory has one answer for all
}

// asker asks one registry whether it would take pushes.
type asker struct {
	prober   repo.Prober
	registry string
	goOn     bool

	asked   []string
	refused map[string]error // by repository
	fault   error            // of the whole registry: there is no use in asking on
}

// ask asks about some repositories at once.
func (a *asker) ask(ctx context.Context, names []string) {
	errs := make([]error, len(names))
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for i, name := range names {
		g.Go(func() error {
			errs[i] = a.prober.CanPush(ctx, name)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	for i, err := range errs {
		a.answer(names[i], err)
	}
}

// answer takes in what a registry said of one repository. A run that goes on
// leaves answers that are no refusals to the copying.
func (a *asker) answer(name string, err error) {
	a.asked = append(a.asked, name)
	_, known := errors.AsType[*remote.PushError](err)
	e, _ := errors.AsType[*remote.Error](err)
	switch {
	case err == nil:
	case known, a.goOn && isRefused(err):
		a.refused[name] = err
	case a.fault == nil && (!a.goOn || e == nil || e.Status == 0):
		a.fault = a.at(name, err)
	}
}

// unknown ends the questions where the registry knows nobody of that name and
// password, whatever it was asked about: accounts are locked for trying on.
func (a *asker) unknown() {
	for _, name := range a.asked {
		_, known := errors.AsType[*remote.PushError](a.refused[name])
		if known || !errors.Is(a.refused[name], oci.ErrUnauthorized) {
			return
		}
	}
	a.fault = a.at(a.asked[0], a.refused[a.asked[0]])
}

func (a *asker) at(name string, err error) error {
	at := plan.Place{Registry: a.registry, Repo: name}
	return &repo.Error{Op: "checking that images may be pushed to", Side: repo.SideDestination, Ref: at.String(), Err: err}
}

// askRest finds out about the repositories that were not asked about: some
// follow from what is known. Where names are refused, no others are asked about:
// Quay makes a repository when it is.
func (a *asker) askRest(ctx context.Context, names []string) {
	var rest []string
	asked := map[string]bool{}
	for _, name := range a.asked {
		asked[name] = true
	}
	nested := false
	for _, name := range names {
		if asked[name] {
			e, ok := errors.AsType[*remote.PushError](a.refused[name])
			nested = nested || ok && e.Reason == remote.NestedName
		} else if err := a.follows(name); err != nil {
			a.refused[name] = err
		} else {
			rest = append(rest, name)
		}
	}
	if !nested {
		a.ask(ctx, rest)
	}
}

// follows returns the refusal of a repository that an earlier one implies.
func (a *asker) follows(name string) error {
	for _, asked := range a.asked {
		if e, ok := errors.AsType[*remote.PushError](a.refused[asked]); ok {
			if implied := e.Implies(name); implied != nil {
				return implied
			}
		}
	}
	return nil
}

// take keeps what a registry refuses. The error ends the run.
func (r *Refusals) take(ctx context.Context, a *asker, places []plan.Place) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case a.fault != nil && !a.goOn && len(a.refused) == 0:
		return a.fault
	}
	var errs []error
	for _, place := range places {
		err := a.refused[place.Repo]
		if err == nil && a.fault != nil && a.goOn {
			err = inner(a.fault)
		}
		if err != nil {
			r.places[place] = err
			errs = append(errs, a.at(place.Repo, err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	if first := together(errs); r.first == nil {
		r.first = first
	}
	if a.goOn {
		return nil
	}
	return r.first
}

// inner is an error without its place.
func inner(err error) error {
	if e, ok := errors.AsType[*repo.Error](err); ok {
		return e.Err
	}
	return err
}
