package cli

import (
	"context"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// failures gathers what went wrong with some of several images, and tells it as
// it happens.
type failures struct {
	ui   *ui.UI
	of   int // images in all
	errs []error
}

func (f *failures) add(ctx context.Context, err error) {
	f.errs = append(f.errs, err)
	if f.of > 1 && ctx.Err() == nil {
		f.ui.Failed(oneLine(err))
	}
}

// err is nil, the one error of the only image, or one that was told.
func (f *failures) err() error {
	switch {
	case len(f.errs) == 0:
		return nil
	case f.of == 1:
		return f.errs[0]
	}
	return &mirror.ToldError{Err: fmt.Errorf("%d of %s failed: %w", len(f.errs), ui.Count(f.of, "image"), worst(f.errs))}
}

// worst is the error that decides the exit code.
func worst(errs []error) error {
	for _, err := range errs {
		if isCorrupt(err) {
			return err
		}
	}
	return errs[0]
}
