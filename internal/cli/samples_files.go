package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/samples"
)

// sampleMap reads the config map: the one given, with what the medium has of
// it, or the medium's own.
func (a *App) sampleMap(f *samplesFlags) (*samples.ConfigMap, error) {
	if f.configMap == "" {
		return a.mediumMap(f.dirs.from)
	}
	content, name, err := a.input(f.configMap)
	if err != nil {
		return nil, fmt.Errorf("reading --config-map: %w", err)
	}
	configMap, err := samples.Parse(content)
	if err != nil {
		return nil, sampleError(name, err)
	}
	if f.dirs.from == "" {
		return configMap, nil
	}
	on, err := mediumMaps(f.dirs.from)
	for _, m := range on {
		configMap.Take(m.configMap)
	}
	return configMap, err
}

// mediumMap is the only config map of a medium.
func (a *App) mediumMap(dir string) (*samples.ConfigMap, error) {
	on, err := mediumMaps(dir)
	if err != nil {
		return nil, err
	}
	if len(on) > 1 {
		var names []string
		for _, m := range on {
			names = append(names, m.path)
		}
		return nil, &hinted{
			fmt.Errorf("%s has the samples of %d versions: %s", dir, len(on), strings.Join(names, ", ")),
			"name the one of the cluster's version with --config-map, besides --from-dir",
		}
	}
	return on[0].configMap, nil
}

// mediumMap is a config map as a file of a medium.
type mediumMap struct {
	path      string
	configMap *samples.ConfigMap
}

// mediumMaps reads all config maps of a medium; there is one at least.
func mediumMaps(dir string) ([]mediumMap, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading --from-dir: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() { // a medium is of others: no link leads out of it
			names = append(names, e.Name())
		}
	}
	var out []mediumMap
	for _, name := range samples.FileNames(names) {
		path := filepath.Join(dir, name)
		content, err := readMost(path)
		if err != nil {
			return nil, err
		}
		m, err := samples.Parse(content)
		if err != nil {
			return nil, sampleError(path, err)
		}
		if m.Record != nil { // one without was put there by somebody else
			out = append(out, mediumMap{path, m})
		}
	}
	if len(out) == 0 {
		return nil, &hinted{
			fmt.Errorf("%s has no samples: there is no samples-VERSION.json: %w", dir, fs.ErrNotExist),
			"mirror them to it first: airbridge samples mirror --config-map FILE --to-dir " + dir,
		}
	}
	return out, nil
}

// sampleError is an error in a file, which is corrupt content if a medium's
// own check says so.
func sampleError(name string, err error) error {
	if _, changed := errors.AsType[*samples.RecordError](err); changed {
		return &hinted{&corruptFile{name, err}, "copy the file from the medium's original, or mirror the samples to it again"}
	}
	if _, newer := errors.AsType[*samples.FormatError](err); newer {
		return &hinted{fmt.Errorf("%s: %w", name, err), "a newer airbridge wrote it: use that one"}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// corruptFile is a file of a medium that is not as it was written.
type corruptFile struct {
	name string
	err  error
}

// Error implements error.
func (e *corruptFile) Error() string { return e.name + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *corruptFile) Unwrap() error { return e.err }

// sampleEnd is what came of a run.
type sampleEnd struct {
	configMap *samples.ConfigMap
	done      map[string]oci.Digest // images that are where they were to go
	earlier   []string              // streams that were not wanted, but are in the mirror
	left      []string              // streams that were not wanted
	skip      []samples.Skip        // streams that lack an image
}

// endSamples names the streams that are skipped and writes what the next step
// needs: the medium's file, or the operator's configuration.
func (s *session) endSamples(f *samplesFlags, e sampleEnd) error {
	for _, skip := range e.skip {
		s.ui.Warn("image stream %s is skipped: %s", skip.Stream, skip.Why)
	}
	if len(e.earlier) > 0 {
		s.ui.Info("image streams that the mirror has of earlier runs: %s", strings.Join(e.earlier, ", "))
	}
	if len(e.left) > 0 {
		s.ui.Info("image streams that were not wanted: %s", strings.Join(e.left, ", "))
	}
	var err error
	switch {
	case len(e.done) == 0:
		return errors.New("no image of any image stream was mirrored: no configuration is written")
	case f.dirs.to != "":
		err = s.endOnMedium(f, e)
	default:
		err = s.endInMirror(f, e)
	}
	s.ui.Info("what is built from the samples may need more than images: source code from GitHub, packages from Maven Central, npm, RubyGems, PyPI and others; name mirrors of your own for them where the cluster reaches none of these")
	return err
}

// endOnMedium writes the file beside the images. What earlier runs brought to
// the medium stays known.
func (s *session) endOnMedium(f *samplesFlags, e sampleEnd) error {
	path := filepath.Join(f.dirs.to, e.configMap.FileName())
	e.configMap.Record = nil // of another medium, if it came from one
	if content, err := readMost(path); err == nil {
		if before, err := samples.Parse(content); err == nil {
			e.configMap.Take(before)
		} else {
			s.ui.Warn("%s is written anew: %v", path, err)
		}
	}
	e.configMap.Put(e.done)
	if f.dryRun {
		return nil
	}
	if err := writeFile(path, e.configMap.Encode(), 0o644); err != nil {
		return fmt.Errorf("the images are all there, but not the list of them: %w", err)
	}
	s.ui.Info("%s says which images are on the medium", path)
	s.ui.Result(fmt.Sprintf("\nTo upload the samples to a registry, run:\n\n    airbridge samples mirror --from-dir=%s --to=REGISTRY/REPOSITORY\n\n", f.dirs.to))
	return nil
}

// endInMirror writes the operator's configuration, and prints it with the
// commands that take it.
func (s *session) endInMirror(f *samplesFlags, e sampleEnd) error {
	to, err := f.target()
	if err != nil {
		return err
	}
	skip := slices.Clone(e.skip)
	for _, name := range e.left {
		skip = append(skip, samples.Skip{Stream: name})
	}
	if len(skip) == len(e.configMap.Streams) {
		return errors.New("every image stream lacks an image: no configuration is written")
	}
	config := samples.OperatorConfig(to.String(), skip)
	const name = "samples-operator-config.yaml"
	dir := "mirror-samples"
	if f.dryRun {
		s.ui.Result("\nThe Cluster Samples Operator would be configured with:\n\n" + string(config))
		return nil
	}
	if err := writeFiles(dir, []cluster.File{{Name: name, Content: config}}); err != nil {
		return fmt.Errorf("writing the operator's configuration: %w", err)
	}
	path := filepath.Join(dir, name)
	s.ui.Result(fmt.Sprintf("\nTo configure the Cluster Samples Operator for the mirror, run:\n\n"+
		"    oc patch configs.samples.operator.openshift.io cluster --type=merge --patch-file=%s\n\nwhich is the same as oc apply -f %s:\n\n%s", path, path, config))
	return nil
}
