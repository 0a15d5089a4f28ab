package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Observer is told what a workflow does. All fields must be set; they are
// called from many goroutines.
type Observer struct {
	// Planning is told how many images of how many are planned.
	Planning func(done, total int)
	// Planned is told the plan before anything is copied; the function it
	// returns is called when copying ends.
	Planned func(*plan.Plan) (done func())
	Event   func(engine.Event)
	Warn    func(format string, args ...any)
	Info    func(format string, args ...any)
}

// CopyOptions says how images are copied.
type CopyOptions struct {
	Plan   PlanOptions
	Engine engine.Options
	// DryRun plans and stops.
	DryRun bool
	// EndRefused ends the run before the first blob where a destination refuses
	// a push, also with Plan.ContinueOnError, which else goes on with the rest.
	EndRefused bool
	// Spool, if set, has blobs that the run read before: they are taken from there.
	Spool *Spool
}

// Result is what a copy came to.
type Result struct {
	Plan *plan.Plan
	// Planning are the images that could not be planned.
	Planning []error
	Report   *engine.Report // nil after a dry run
	// Refused are the pushes that destinations refuse, as was known before
	// anything was copied. nil where nobody was asked.
	Refused *Refusals
	DryRun  bool // nothing was to be copied
}

// The endings of a copy that went through but not wholly (oc.md 10.5). What
// went wrong with each image has been told to the Observer before.
var (
	ErrPlanning  = errors.New("an error occurred during planning")
	ErrUploading = errors.New("one or more errors occurred while uploading images")
	ErrSome      = errors.New("one or more errors occurred")
)

// Copy makes every destination of the wishes hold its source: plan, look
// before the first blob whether it can work, copy. It may be called again
// after any failure and goes on where the last call stopped.
//
// A list that a filter leaves sparse is written so that its digest stays. Where
// a destination refuses that, and OrSingle allows it, the one image that the
// filter leaves takes the list's place.
func Copy(ctx context.Context, regs *Registries, wishes []Wish, o CopyOptions, obs Observer) (*Result, error) {
	o.Plan.IgnoreDestination = o.DryRun
	o.Engine.Force, o.Engine.ContinueOnError = o.Plan.Force, o.Plan.ContinueOnError
	if err := refuseInternal(ctx, regs, wishes); err != nil {
		return nil, err
	}
	if !o.Plan.OrSingle {
		return copyOnce(ctx, regs, wishes, o, obs)
	}
	watch := &sparseWatch{next: obs.Event}
	first := obs
	first.Event = watch.event
	result, err := copyOnce(ctx, regs, wishes, o, first)
	at, refused := watch.refused()
	if e, early := errors.AsType[*sparseError](err); early {
		at, refused = e.at, true
	}
	if !refused || ctx.Err() != nil {
		return result, err
	}
	obs.Warn("%s takes no list without all of its images: what the filter leaves of a list is pushed in its place, with a digest of its own", at)
	o.Plan.Single = true
	return copyOnce(ctx, regs, wishes, o, obs)
}

func copyOnce(ctx context.Context, regs *Registries, wishes []Wish, o CopyOptions, obs Observer) (*Result, error) {
	o.Engine.Events = obs.Event
	o.Plan.Progress = obs.Planning
	p, failed, err := Plan(ctx, regs, wishes, o.Plan)
	if err == nil && o.DryRun {
		err = regs.checkWritten(ctx)
	}
	if err != nil {
		return nil, err
	}
	result := &Result{Plan: p, Planning: failed, DryRun: o.DryRun}
	tellSkipped(p, obs)
	switch {
	case len(failed) > 0 && o.Plan.ContinueOnError:
		tellFailed(failed, obs)
	case len(failed) > 0:
		return result, planningError(failed, obs)
	}
	done := obs.Planned(p)
	if !o.DryRun {
		err = execute(ctx, regs, result, o)
	}
	done()
	if err == nil && len(failed) > 0 {
		err = &severalError{fmt.Errorf("%w: %d of %d images failed", ErrSome, len(failed), len(wishes)), worst(failed)}
	}
	return result, err
}

// planningError tells each failure but a single one, which is returned itself.
func planningError(failed []error, obs Observer) error {
	if len(failed) == 1 {
		return failed[0]
	}
	tellFailed(failed, obs)
	return &severalError{fmt.Errorf("%w: %d images", ErrPlanning, len(failed)), worst(failed)}
}

// tellFailed tells each failure, once where many images have the same one: a
// directory that cannot be made.
func tellFailed(failed []error, obs Observer) {
	told := map[string]bool{}
	for _, err := range failed {
		if text := err.Error(); !told[text] {
			told[text] = true
			obs.Event(engine.Event{Kind: engine.ImageFailed, Err: err})
		}
	}
}

// severalError sums up failures, of which the worst decides on hint and exit code.
type severalError struct {
	summary, worst error
}

// Error implements error.
func (e *severalError) Error() string { return e.summary.Error() }

// Unwrap returns the kind of ending and the worst failure.
func (e *severalError) Unwrap() []error { return []error{e.summary, e.worst} }

// worst returns a failure that says that content is corrupt, else the first.
func worst(failed []error) error {
	for _, err := range failed {
		if _, corrupt := errors.AsType[*repo.CorruptError](err); corrupt {
			return err
		}
	}
	return failed[0]
}

func tellSkipped(p *plan.Plan, obs Observer) {
	for _, s := range p.Skipped {
		obs.Warn("Image %s does not exist and will not be mirrored", s.Ref)
	}
	for _, i := range p.Items {
		for _, s := range i.Skipped {
			obs.Warn("Image %s of the list %s does not exist and will not be mirrored", s.Digest, s.Ref)
		}
	}
}

// execute copies what has been planned, after a look at the destinations.
func execute(ctx context.Context, regs *Registries, result *Result, o CopyOptions) error {
	err := o.Spool.withRoom(func() (err error) {
		result.Refused, err = Preflight(ctx, regs, result.Plan, PreflightOptions{
			GoOn: o.Plan.ContinueOnError && !o.EndRefused, OrSingle: o.Plan.OrSingle && !o.Plan.Single,
		})
		return err
	})
	if err != nil {
		return err
	}
	o.Engine.AtHand = o.Spool.Open
	result.Plan.Items = result.Refused.without(result.Plan.Items)
	o.Engine.Refused = result.Refused.Why
	report, err := engine.Execute(ctx, result.Plan, regs.Find, o.Engine)
	result.Report = report
	if err != nil {
		return err
	}
	switch n := len(report.Failures); {
	case n == 0:
		return nil
	case n == 1 && len(result.Planning) == 0:
		return &ToldError{report.Failures[0].Err}
	}
	summary := fmt.Errorf("%w: %d of %d images and signatures failed", ErrUploading, len(report.Failures), len(result.Plan.Items))
	if _, attached := report.Failed(); attached == 0 {
		summary = fmt.Errorf("%w: %d of %d images failed", ErrUploading, len(report.Failures), result.Plan.Totals().Images)
	}
	return &ToldError{&severalError{summary, together(causes(report.Failures))}}
}

// ToldError is an error whose details the Observer has been told already, as
// the failure of an image.
type ToldError struct{ Err error }

// Error implements error.
func (e *ToldError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ToldError) Unwrap() error { return e.Err }

// causes returns the errors of failures.
func causes(failures []engine.Failure) []error {
	out := make([]error, len(failures))
	for i, f := range failures {
		out[i] = f.Err
	}
	return out
}
