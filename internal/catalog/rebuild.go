package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// The labels by which the content of an index image is found (oc.md 15.2).
const (
	LabelConfigs  = "operators.operatorframework.io.index.configs.v1"
	LabelDatabase = "operators.operatorframework.io.index.database.v1"
)

// The annotations that a rebuilt image has, and the labels, which no format of
// images lacks: the manifest that it was made of, and the digest of the whole
// index image, a list mostly.
const (
	AnnotationBase     = "org.opencontainers.image.base.digest"
	AnnotationOriginal = "dev.airbridge.catalog.original"
)

// Rebuild makes an index image with another catalog of an index image: the same
// layers, those that put the catalog in above them, and a configuration that
// says so. It is pure: the same input gives the same bytes.
type Rebuild struct {
	Dir      string     // of the catalog in the image
	Original oci.Digest // of the whole index image
	Layers   []Layer
}

// ErrOtherServer is the error of an image that starts what cannot serve files.
var ErrOtherServer = errors.New("the image does not start opm, so it can only serve the catalog that it was made for")

// Config returns the configuration of the rebuilt image. base is the manifest
// that it belonged to.
//
// What opm computed of the old catalog beforehand, its cache, stays in the image
// and is not told to opm any more: an opm that is told of a cache refuses to start
// where that does not fit the catalog. Without one it computes its own when
// it starts.
func (r Rebuild) Config(body []byte, base oci.Digest) ([]byte, error) {
	body = bytes.TrimSpace(body)
	if !json.Valid(body) || body[0] != '{' {
		return nil, errors.New("the configuration of the image is no JSON object")
	}
	run, err := r.run(objectField(body, "config"), base)
	if err != nil {
		return nil, err
	}
	body = withField(body, "config", run)
	ids, err := listField(objectField(body, "rootfs"), "diff_ids")
	if err != nil {
		return nil, err
	}
	for _, l := range r.Layers {
		ids = append(ids, quoted(l.DiffID.String()))
	}
	body = withField(body, "rootfs", withField(objectField(body, "rootfs"), "diff_ids", listOf(ids)))
	return r.history(body)
}

// history adds a step for each layer, at the time that the image has.
func (r Rebuild) history(body []byte) ([]byte, error) {
	steps, err := listField(body, "history")
	if err != nil || steps == nil {
		return body, err // an image may come without
	}
	for _, l := range r.Layers {
		step := withField([]byte("{}"), "created_by", quoted(l.CreatedBy))
		if created := field(body, "created"); created != nil {
			step = withField(step, "created", created)
		}
		steps = append(steps, step)
	}
	return withField(body, "history", listOf(steps)), nil
}

// run returns what a container of the image runs, and its labels.
func (r Rebuild) run(config []byte, base oci.Digest) ([]byte, error) {
	labels := without(objectField(config, "Labels"), LabelDatabase)
	labels = withField(labels, LabelConfigs, quoted("/"+strings.Trim(path.Clean("/"+r.Dir), "/")))
	labels = withField(labels, AnnotationBase, quoted(base.String()))
	labels = withField(labels, AnnotationOriginal, quoted(r.Original.String()))
	config = withField(config, "Labels", labels)
	entrypoint, err := stringsField(config, "Entrypoint")
	if err != nil {
		return nil, err
	}
	cmd, err := stringsField(config, "Cmd")
	if err != nil {
		return nil, err
	}
	newEntrypoint, newCmd, err := r.command(entrypoint, cmd)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(entrypoint, newEntrypoint) {
		config = withField(config, "Entrypoint", stringList(newEntrypoint))
	}
	if !slices.Equal(cmd, newCmd) {
		config = withField(config, "Cmd", stringList(newCmd))
	}
	return config, nil
}

// command returns what serves the files. An image that starts nothing is left
// alone: OLM brings its own server for those.
func (r Rebuild) command(entrypoint, cmd []string) (newEntrypoint, newCmd []string, err error) {
	whole := append(slices.Clone(entrypoint), cmd...)
	database := slices.Index(whole, "registry")
	switch {
	case len(whole) == 0:
		return entrypoint, cmd, nil
	case !slices.Contains(whole, "serve"):
		if path.Base(whole[0]) == "opm" && len(cmd) == 0 {
			return entrypoint, cmd, nil
		}
		return nil, nil, fmt.Errorf("%w: it starts %s", ErrOtherServer, strings.Join(whole, " "))
	case database < 0 || database+1 >= len(whole) || whole[database+1] != "serve":
		return withoutCache(entrypoint), withoutCache(cmd), nil
	case database == 0:
		return nil, nil, fmt.Errorf("%w: it starts %s", ErrOtherServer, strings.Join(whole, " "))
	}
	// opm registry serve --database FILE becomes opm serve DIR.
	serve := []string{"serve", "/" + strings.Trim(path.Clean("/"+r.Dir), "/")}
	if len(entrypoint) == 0 {
		return nil, append(slices.Clone(whole[:database]), serve...), nil
	}
	return whole[:database:database], serve, nil
}

// withoutCache drops the flags about opm's cache from a command.
func withoutCache(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(args[i], "=")
		switch {
		case name == "--cache-dir" && !hasValue:
			i++ // its value
		case name == "--cache-dir", name == "--cache-enforce-integrity":
		default:
			out = append(out, args[i])
		}
	}
	return out
}

// Manifest returns the manifest of the rebuilt image: base is what it is made
// of, config the new configuration.
func (r Rebuild) Manifest(base oci.Descriptor, body, config []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	layers, err := listField(body, "layers")
	if err != nil {
		return nil, err
	}
	layerType := oci.MediaTypeOCILayerGzip
	if base.MediaType == oci.MediaTypeDockerManifest {
		layerType = oci.MediaTypeDockerLayer
	}
	for _, l := range r.Layers {
		layer, err := json.Marshal(oci.Descriptor{MediaType: layerType, Digest: l.Digest, Size: int64(len(l.Body))})
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	described := pointed(objectField(body, "config"), config)
	body = withField(withField(body, "config", described), "layers", listOf(layers))
	return r.annotated(base, body), nil
}

// Child is an image of a rebuilt list, by what it was.
type Child struct {
	Base oci.Digest
	Body []byte // of the manifest, nil where the image does not go along
}

// Index returns the list of rebuilt images. base is what it is made of.
func (r Rebuild) Index(base oci.Descriptor, body []byte, children []Child) ([]byte, error) {
	body = bytes.TrimSpace(body)
	list, err := listField(body, "manifests")
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, desc := range list {
		i := slices.IndexFunc(children, func(c Child) bool { return jsonEqual(field(desc, "digest"), c.Base.String()) })
		if i >= 0 && children[i].Body != nil {
			out = append(out, pointed(desc, children[i].Body))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the list %s has no image that can be rebuilt", base.Digest)
	}
	return r.annotated(base, withField(body, "manifests", listOf(out))), nil
}

// annotated adds the annotations. Docker's manifests have none.
func (r Rebuild) annotated(base oci.Descriptor, body []byte) []byte {
	if base.MediaType == oci.MediaTypeDockerManifest || base.MediaType == oci.MediaTypeDockerList {
		return body
	}
	annotations := withField(objectField(body, "annotations"), AnnotationBase, quoted(base.Digest.String()))
	return withField(body, "annotations", withField(annotations, AnnotationOriginal, quoted(r.Original.String())))
}

// pointed returns a descriptor that points at other content.
func pointed(desc, content []byte) []byte {
	desc = without(without(desc, "data"), "urls")
	desc = withField(desc, "digest", quoted(oci.FromBytes(content).String()))
	return withField(desc, "size", fmt.Appendf(nil, "%d", len(content)))
}
