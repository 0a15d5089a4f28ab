package mirror

import (
	"context"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// InternalRegistryError says that a destination is the image registry that
// OpenShift runs for itself, which cannot be a mirror.
type InternalRegistryError struct{ Host string }

// Error implements error. The reason is the documentation's.
func (e *InternalRegistryError) Error() string {
	return fmt.Sprintf("%s is the OpenShift image registry, which cannot be the target: it does not support pushing without a tag, which mirroring requires", e.Host)
}

// internalRegistry is the power of a remote registry to know that it is one.
type internalRegistry interface{ InternalOpenShift() bool }

// refuseInternal refuses that registry by the names it goes by, before
// anything is read.
func refuseInternal(ctx context.Context, regs *Registries, wishes []Wish) error {
	for _, w := range wishes {
		for _, d := range w.Destinations {
			if d.Scheme != ref.Registry {
				continue
			}
			reg, err := regs.Find(ctx, d.Canonical().Host)
			if err != nil {
				return err
			}
			if r, ok := reg.(internalRegistry); ok && r.InternalOpenShift() {
				return &InternalRegistryError{Host: d.Canonical().Host}
			}
		}
	}
	return nil
}
