package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Use says what a reference is opened for.
type Use int

// The two uses.
const (
	Reading Use = iota
	Writing
)

// RegistriesOptions says how places are opened.
type RegistriesOptions struct {
	// From and To are the directories of file:// references that are read and
	// written; "" is the working directory.
	From, To string
	// DryRun opens nothing for writing and makes nothing.
	DryRun bool
	// Remote returns the registry of a host.
	Remote func(host string) repo.Registry
	// Holder says who we are in a store's lock.
	Holder string
	Now    func() time.Time
	// Notice is told what the user should know of how a directory is used.
	Notice func(string)
}

// Registries opens each registry of a run once: hosts over the network,
// directories by what they are.
type Registries struct {
	o      RegistriesOptions
	mu     sync.Mutex
	writes map[string]bool
	dirs   map[string]*Directory
	hosts  map[string]repo.Registry
	listed map[plan.Place]map[string]bool
}

// NewRegistries returns the registries of one run.
func NewRegistries(o RegistriesOptions) *Registries {
	return &Registries{o: o, writes: map[string]bool{}, dirs: map[string]*Directory{}, hosts: map[string]repo.Registry{}, listed: map[plan.Place]map[string]bool{}}
}

// fileKey begins the keys of directories.
const fileKey = "file://"

// Place says where a reference points: a host, or the directory that file://
// stands for.
func (r *Registries) Place(at ref.Ref, use Use) (plan.Place, error) {
	switch at.Scheme {
	case ref.Registry:
		at = at.Canonical()
		return plan.Place{Registry: at.Host, Repo: at.Path}, nil
	case ref.File:
		return r.filePlace(at, use)
	}
	return plan.Place{}, fmt.Errorf("%s: S3 buckets cannot be read or written yet", at)
}

func (r *Registries) filePlace(at ref.Ref, use Use) (plan.Place, error) {
	dir := r.o.From
	if use == Writing {
		dir = r.o.To
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return plan.Place{}, err
	}
	key := fileKey + abs
	if use == Writing {
		r.mu.Lock()
		r.writes[key] = true
		r.mu.Unlock()
	}
	return plan.Place{Registry: key, Repo: at.Path}, nil
}

// WillWrite says which places are written to. It is told before any is opened
// to be read: a directory that is both is opened once, for writing.
func (r *Registries) WillWrite(destinations ...ref.Ref) error {
	for _, d := range destinations {
		if _, err := r.Place(d, Writing); err != nil {
			return err
		}
	}
	return nil
}

// Find returns the registry of a place's key, opening it at the first call.
func (r *Registries) Find(ctx context.Context, key string) (repo.Registry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(key) > len(fileKey) && key[:len(fileKey)] == fileKey {
		return r.dir(ctx, key)
	}
	if r.hosts[key] == nil {
		r.hosts[key] = r.o.Remote(key)
	}
	return r.hosts[key], nil
}

func (r *Registries) dir(ctx context.Context, key string) (repo.Registry, error) {
	if d := r.dirs[key]; d != nil {
		return d.Registry, nil
	}
	d, err := OpenDirectory(ctx, key[len(fileKey):], DirectoryOptions{
		Write: r.writes[key] && !r.o.DryRun, Missing: r.writes[key], Batch: true, Holder: r.o.Holder, Now: r.o.Now,
	})
	if err != nil {
		return nil, err
	}
	if d.Notice != "" && r.o.Notice != nil {
		r.o.Notice(d.Notice)
	}
	r.dirs[key] = d
	return d.Registry, nil
}

// checkWritten returns why a directory that is to be written to cannot be opened.
// A dry run goes on where a destination does not answer, because that may lie
// behind the gap; a directory lies here.
func (r *Registries) checkWritten(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(r.writes)) {
		if _, err := r.dir(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Close makes everything written durable and gives the directories back.
func (r *Registries) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(r.dirs)) { // so that errors come in one order
		errs = append(errs, r.dirs[key].Close(ctx))
	}
	r.dirs = map[string]*Directory{}
	return errors.Join(errs...)
}

// remember keeps the tags of a repository that was listed in this run.
func (r *Registries) remember(at ref.Ref, tags []string) {
	place, err := r.Place(at, Reading)
	if err != nil {
		return
	}
	known := make(map[string]bool, len(tags))
	for _, tag := range tags {
		known[tag] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed[place] = known
}

// Listed returns all tags of a repository, nil where it was not listed.
func (r *Registries) Listed(at plan.Place) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listed[at]
}
