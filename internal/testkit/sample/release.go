package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// ComponentRepository is where the components of real releases lie.
const ComponentRepository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"

// Component is a named image of a release.
type Component struct {
	Name  string
	Image *Image
}

// ReleaseSpec says what release to make. The zero values are right for tests.
type ReleaseSpec struct {
	Version    string       // "" for 4.12.0
	Repository string       // of the components, as the payload names them; "" for ComponentRepository
	Format     Format       // of all images
	Platform   oci.Platform // the zero value for linux/amd64
	Components int          // how many; 0 for 12
	LayerSize  int64        // median of own layers in bytes; 0 for 8 KiB
	NoKeys     bool         // leave out the config map with the verification keys
	Rings      [][]byte     // key rings of that config map, armored, instead of one that cannot be read
	Stores     []string     // signature stores of that config map, where it has rings

	manifests []File // further ones
}

// Release is a release image with its components.
type Release struct {
	Version    string
	Image      *Image
	Components []Component
}

// componentNames are the first components; further ones are numbered. All
// releases have these.
var componentNames = []string{
	"cluster-version-operator", "cli", "installer", "machine-config-operator", "etcd",
	"hyperkube", "pod", "must-gather", "oauth-server", "console", "coredns", "haproxy-router",
}

// Release makes a release: bases shared by the components, each with two or
// three layers of its own, and the release image whose top layer has the
// payload (reference: oc.md, section 11).
func (m *Maker) Release(spec ReleaseSpec) *Release {
	spec = spec.withDefaults()
	bases := []Blob{m.Layer(4 * spec.LayerSize), m.Layer(2 * spec.LayerSize)}
	r := &Release{Version: spec.Version}
	for i := range spec.Components {
		layers := []Blob{bases[i%len(bases)]}
		for range 2 + i%2 {
			layers = append(layers, m.Layer(m.LogNormal(float64(spec.LayerSize), 0.8)))
		}
		image := NewImage(ImageSpec{Format: spec.Format, Platform: spec.Platform, Layers: layers})
		r.Components = append(r.Components, Component{Name: componentName(i), Image: image})
	}
	r.Image = NewImage(ImageSpec{
		Format: spec.Format, Platform: spec.Platform,
		Labels: map[string]string{"io.openshift.release": spec.Version},
		Layers: []Blob{bases[0], spec.payload(r.Components)},
	})
	return r
}

func (spec ReleaseSpec) withDefaults() ReleaseSpec {
	if spec.Version == "" {
		spec.Version = "4.12.0"
	}
	if spec.Repository == "" {
		spec.Repository = ComponentRepository
	}
	if spec.Platform.OS == "" {
		spec.Platform = AMD64
	}
	if spec.Components == 0 {
		spec.Components = len(componentNames)
	}
	if spec.LayerSize == 0 {
		spec.LayerSize = 8 << 10
	}
	return spec
}

func componentName(i int) string {
	if i < len(componentNames) {
		return componentNames[i]
	}
	return fmt.Sprintf("component-%03d", i)
}

// Push writes the release: the release image under its tag, VERSION-x86_64 and
// so on as the public repository has it, the components by digest alone.
func (r *Release) Push(ctx context.Context, release, components repo.Repo) error {
	for _, c := range r.Components {
		if err := c.Image.Push(ctx, components); err != nil {
			return fmt.Errorf("component %s: %w", c.Name, err)
		}
	}
	return r.Image.Push(ctx, release, r.Tag())
}

// Tag is the release image's tag in the public repository.
func (r *Release) Tag() string {
	arch := r.Image.Desc.Platform.Architecture
	if alias, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]; ok {
		arch = alias
	}
	return r.Version + "-" + arch
}

// Images returns the components and, last, the release image.
func (r *Release) Images() []*Image {
	var out []*Image
	for _, c := range r.Components {
		out = append(out, c.Image)
	}
	return append(out, r.Image)
}

type objectReference struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

type streamTag struct {
	Name            string            `json:"name"`
	Annotations     map[string]string `json:"annotations"`
	From            objectReference   `json:"from"`
	Generation      *int              `json:"generation"`
	ImportPolicy    struct{}          `json:"importPolicy"`
	ReferencePolicy struct {
		Type string `json:"type"`
	} `json:"referencePolicy"`
}

type imageStream struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name              string            `json:"name"`
		CreationTimestamp string            `json:"creationTimestamp"`
		Annotations       map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		LookupPolicy struct {
			Local bool `json:"local"`
		} `json:"lookupPolicy"`
		Tags []streamTag `json:"tags"`
	} `json:"spec"`
	Status struct {
		DockerImageRepository string `json:"dockerImageRepository"`
	} `json:"status"`
}

// payload is the top layer of a release image.
func (spec ReleaseSpec) payload(components []Component) Blob {
	var s imageStream
	s.Kind, s.APIVersion = "ImageStream", "image.openshift.io/v1"
	s.Metadata.Name, s.Metadata.CreationTimestamp = spec.Version, epoch.Format(time.RFC3339)
	s.Metadata.Annotations = map[string]string{"release.openshift.io/from-image-stream": "ocp/sample"}
	for _, c := range components {
		s.Spec.Tags = append(s.Spec.Tags, streamTag{
			Name: c.Name,
			Annotations: map[string]string{
				"io.openshift.build.commit.id": c.Image.Desc.Digest.Hex()[:40], "io.openshift.build.commit.ref": "",
				"io.openshift.build.source-location": "https://example.com/" + c.Name,
			},
			From: objectReference{Kind: "DockerImage", Name: spec.Repository + "@" + c.Image.Desc.Digest.String()},
		})
	}
	metadata := map[string]any{
		"kind": "cincinnati-metadata-v0", "version": spec.Version, "previous": []string{"4.11.22", "4.11.23"},
		"metadata": map[string]string{"url": "https://example.com/errata/1"},
	}
	files := []File{
		{"release-manifests/image-references", pretty(s)},
		{"release-manifests/release-metadata", pretty(metadata)},
	}
	for _, c := range components {
		name := fmt.Sprintf("release-manifests/0000_50_%s_00_namespace.yaml", c.Name)
		files = append(files, File{name, fmt.Appendf(nil, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: openshift-%s\n", c.Name)})
	}
	files = append(files, spec.manifests...)
	if !spec.NoKeys {
		files = append(files, File{"release-manifests/0000_90_cluster-update-keys_configmap.yaml", []byte(spec.keys())})
	}
	return Files(files...)
}

func pretty(v any) []byte {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding generated JSON: %v", err))
	}
	return out
}

// keys is the config map with the verification keys. JSON is YAML too.
func (spec ReleaseSpec) keys() string {
	if len(spec.Rings) == 0 {
		return keysConfigMap
	}
	data := map[string]string{}
	for i, ring := range spec.Rings {
		data[fmt.Sprintf("verifier-public-key-sample-%d", i)] = string(ring)
	}
	for i, store := range spec.Stores {
		data[fmt.Sprintf("store-sample-%d", i)] = store
	}
	return string(pretty(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{
			"name": "release-verification", "namespace": "openshift-config-managed",
			"annotations": map[string]string{"release.openshift.io/verification-config-map": ""},
		},
	}))
}

// keysConfigMap has the shape of the object that tells a cluster which keys
// sign releases. The key in it is none.
const keysConfigMap = `# Release verification against the keys of this sample
apiVersion: v1
kind: ConfigMap
metadata:
  name: release-verification
  namespace: openshift-config-managed
  annotations:
    release.openshift.io/verification-config-map: ""
data:
  store-openshift-official-release: https://example.com/signatures/openshift/release
  verifier-public-key-sample: |
    -----BEGIN PGP PUBLIC KEY BLOCK-----

    c2FtcGxlIGtleSBvZiB0aGUgdGVzdHM=
    -----END PGP PUBLIC KEY BLOCK-----
`
