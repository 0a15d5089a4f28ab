package cli

import (
	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// retry returns the report of a catalog's run that this command tries again, nil
// for any other command.
func (f *imageMirrorFlags) retry(args []string, filter oci.PlatformFilter) *mirror.CatalogRetry {
	if f.dryRun || len(args) > 0 || len(f.files) != 1 || !filter.All() {
		return nil
	}
	return mirror.FindRetry(f.files[0], absolute(f.dirs.to))
}

// tellRetried brings the report of a catalog's run up to date. The images are
// copied, or not, whatever becomes of it.
func (s *session) tellRetried(retry *mirror.CatalogRetry, list []imagelist.Mapping, result *mirror.Result, cause error) {
	if retry == nil {
		return
	}
	o := retry.After(list, result, cause)
	o.Advise(s.app.hint)
	if cause != nil && !wasTold(cause) {
		o.Why = oneLine(cause)
	}
	name := retry.Name()
	switch err := retry.Write(o); {
	case err != nil:
		s.ui.Warn("%s says what was missing before this run: %v", name, err)
	case o.Complete:
		s.ui.Info("nothing of the catalog %s is missing any more: %s is brought up to date", o.Index, name)
	default:
		s.ui.Info("of the catalog %s, %s still (%s)", o.Index, o.Summary(), name)
	}
}
