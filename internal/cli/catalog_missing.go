package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// end tells what came of the run, and what to do next. The error says that
// something is missing, and what ended the run if that was not told before.
func (r *catalogRun) end(o *mirror.CatalogOutcome, cause error) error {
	err := r.tellMissing(o, cause)
	if err != nil && o.Empty() {
		r.dir.files = nil // there is nothing for a cluster yet
	}
	r.tellManifests(err == nil || !o.Empty())
	if err == nil {
		return cause
	}
	return err
}

// tellMissing reports what is not there, if anything: as text, as an event of
// --json, and in files beside the manifests.
func (r *catalogRun) tellMissing(o *mirror.CatalogOutcome, cause error) error {
	if len(o.Missing) == 0 && len(o.Documents) == 0 {
		return nil
	}
	if wasTold(cause) {
		cause = nil
	}
	r.advise(o, cause)
	if !o.Untouched() {
		r.ui.Plain("\n" + o.Text())
	}
	r.ui.Report("catalog", o)
	if err := r.writeMissing(o); err != nil {
		return fmt.Errorf("writing what is missing: %w", err)
	}
	if o.Complete {
		return nil
	}
	summary := o.Summary() + " (" + r.dir.path(mirror.MissingFile) + ")"
	failed := error(&incompleteError{summary, o.Worst()})
	if cause != nil {
		failed = fmt.Errorf("%w; %s", cause, summary)
	}
	return &hinted{failed, o.NextStep()}
}

// wasTold reports whether the details of what ended a run were told as it happened.
func wasTold(cause error) bool {
	_, told := errors.AsType[*mirror.ToldError](cause)
	return told || isSummary(cause)
}

// writeMissing writes the report, and the list for another try.
func (r *catalogRun) writeMissing(o *mirror.CatalogOutcome) error {
	body, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	files := []cluster.File{{Name: mirror.MissingFile, Content: append(body, '\n')}}
	if retry := o.Retry(); len(retry) > 0 {
		files = append(files, cluster.File{Name: mirror.RetryFile, Content: retry})
	}
	return r.dir.add(files)
}

// advise says what helps, and which command then tries again what is missing.
func (r *catalogRun) advise(o *mirror.CatalogOutcome, cause error) {
	if cause != nil {
		o.Why = oneLine(cause)
	}
	o.Advise(r.app.hint)
	if o.Complete {
		return
	}
	worst := o.Worst()
	if cause != nil {
		worst = cause
	}
	o.Hint = r.app.hint(worst)
	if o.Partly() && !r.flags.continueSet {
		o.Hint += "; the other images are copied now with --continue-on-error"
	}
	if o.Untouched() && unanswered(worst) {
		o.Hint += fmt.Sprintf("; argument 2 names it, %q: if that is wrong, run the same command with the right one, since the manifests and the list name it too", r.refs.dest)
	}
	switch {
	case o.Renames():
		o.Command = r.sameCommand(worst)
	case r.run.Rebuilt != nil, // whose index image no other command can make
		r.refs.dest.Scheme == ref.File && !r.remembered, // what images are called outside
		r.flags.dryRun: // which that one does not know of
		o.Command = r.sameCommand(nil)
	case len(o.Retry()) > 0:
		o.Command, o.Replay = r.retryCommand(), true
		if r.refs.dest.Scheme == ref.File {
			o.Directory = absolute(r.dirs.to)
		}
	}
}

// unanswered reports a destination that nothing was heard of.
func unanswered(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && e.Side == repo.SideDestination && (errors.Is(err, syscall.ECONNREFUSED) || as[*net.DNSError](err)) && !proxied(err)
}

// sameCommand is the command line once more, for names that a registry takes
// where it refused these.
func (r *catalogRun) sameCommand(refusal error) string {
	args := r.app.Args[1:]
	if refused, ok := errors.AsType[*remote.PushError](refusal); ok {
		switch refused.Reason {
		case remote.NestedName:
			args = withComponents(args, "2")
		case remote.NoGitLabProject:
			args = withComponents(args, "N")
		}
	}
	words := []string{r.app.program()}
	for _, arg := range args {
		words = append(words, cluster.Quote(arg))
	}
	return strings.Join(words, " ")
}

// withComponents gives a command line another --max-components.
func withComponents(args []string, value string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		switch flag, _, joined := strings.Cut(args[i], "="); {
		case flag != "--max-components":
			out = append(out, args[i])
		case !joined:
			i++
		}
	}
	return append(out, "--max-components="+value)
}

// retryCommand is what tries again what is missing, and nothing else.
func (r *catalogRun) retryCommand() string {
	f := r.flags
	from := r.dirs.from
	if from == r.dirs.to {
		from = ""
	}
	parts := []string{r.app.program(), "image mirror", "-f", cluster.Quote(r.dir.path(mirror.RetryFile))}
	for _, flag := range []struct{ name, value string }{
		{"--dir", r.dirs.to}, {"--from-dir", from}, {"--registry-config", f.config}, {"--certificate-authority", f.authority},
	} {
		if flag.value != "" {
			parts = append(parts, flag.name+"="+cluster.Quote(flag.value))
		}
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"--insecure", f.insecure},
		{"--skip-multiple-scopes", f.oneScope},
		{"--skip-mount", f.skipMount},
		{"--no-signatures", f.noSignatures},
		{"--skip-missing", f.skipMissing},
	} {
		if flag.set {
			parts = append(parts, flag.name)
		}
	}
	return strings.Join(append(parts, "--continue-on-error"), " ")
}
