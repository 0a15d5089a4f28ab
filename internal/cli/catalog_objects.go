package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/cluster"
)

// checkManifests refuses a --to-manifests that cannot be a directory before
// anything is read: a catalog may take long to be, and they are written after.
func (f *catalogMirrorFlags) checkManifests() error {
	if f.toManifests == "" {
		return nil
	}
	info, err := os.Stat(f.toManifests)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(f.toManifests); lerr == nil {
			return usagef("--to-manifests: %s is a symbolic link to nothing", f.toManifests)
		}
		return nil // it is made
	}
	switch {
	case err != nil:
		return usagef("--to-manifests: %w", err)
	case !info.IsDir():
		return usagef("--to-manifests: %s is no directory", f.toManifests)
	}
	return nil
}

// tellAddresses says which of a catalog's objects are of no use because of an
// IPv6 address.
func (r *catalogRun) tellAddresses(addresses []string, files []cluster.File) {
	var refused []string
	for _, f := range files {
		in := func(address string) bool { return bytes.Contains(f.Content, []byte(address)) }
		switch f.Name {
		case cluster.ICSPFile, cluster.IDMSFile, cluster.ITMSFile, cluster.ClusterCatalogFile:
			if slices.ContainsFunc(addresses, in) {
				refused = append(refused, f.Name)
			}
		}
	}
	if len(refused) > 0 {
		r.ui.Warn("clusters cannot use %s: they take no IPv6 address there; give %s a name", strings.Join(refused, ", "), strings.Join(addresses, ", "))
	}
}
