package sample

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/patch"
)

// ToolRelease makes a release whose components carry programs where real ones
// do (oc.md 13.3), and whose payload has manifests of several kinds. The programs
// have 120 KB and more, with room for the values that are written into them.
func (m *Maker) ToolRelease(spec ReleaseSpec) *Release {
	spec.manifests = toolManifests
	r := m.Release(spec)
	spec = spec.withDefaults()
	base := m.Layer(spec.LayerSize)
	for _, c := range toolComponents {
		image := NewImage(ImageSpec{
			Format: spec.Format, Platform: spec.Platform, Layers: []Blob{base, m.tools(spec.Platform.Architecture, c.files), m.Layer(spec.LayerSize)},
		})
		r.set(Component{Name: c.name, Image: image})
	}
	r.Image = NewImage(ImageSpec{
		Format: spec.Format, Platform: spec.Platform,
		Labels: map[string]string{"io.openshift.release": spec.Version},
		Layers: []Blob{base, spec.payload(r.Components)},
	})
	return r
}

// set puts a component in the place of the one of its name, or last.
func (r *Release) set(c Component) {
	for i := range r.Components {
		if r.Components[i].Name == c.Name {
			r.Components[i] = c
			return
		}
	}
	r.Components = append(r.Components, c)
}

const artifacts = "usr/share/openshift/"

// toolComponents are the components with programs, and the paths of these.
var toolComponents = []struct {
	name  string
	files []string
}{
	{"cli", []string{"usr/bin/oc"}},
	{"cli-artifacts", []string{
		artifacts + "linux_amd64/oc", artifacts + "linux_amd64/oc.rhel8", artifacts + "linux_amd64/oc.rhel9", artifacts + "linux_arm64/oc",
		artifacts + "mac/oc", artifacts + "mac_arm64/oc", artifacts + "windows/oc.exe",
	}},
	{"installer", []string{"usr/bin/openshift-install"}},
	{"installer-artifacts", []string{
		artifacts + "linux_amd64/openshift-install", artifacts + "linux_arm64/openshift-install",
		artifacts + "mac/openshift-install", artifacts + "mac_arm64/openshift-install",
	}},
	{"baremetal-installer", []string{"usr/bin/openshift-install"}},
	{"cloud-credential-operator", []string{"usr/bin/ccoctl", "usr/bin/ccoctl.rhel9"}},
}

// tools makes a layer of programs. Those of the architecture of the image are
// not the same for all.
func (m *Maker) tools(arch string, paths []string) Blob {
	var files []File
	for _, path := range paths {
		name := path
		if arch != AMD64.Architecture && strings.HasPrefix(path, "usr/bin/") {
			name = arch + ":" + path
		}
		files = append(files, File{path, m.Program(name)})
	}
	return Files(files...)
}

// Program makes a program as it lies in a release under a path, with "arm64:"
// before that of one for another architecture than amd64: text of its own
// and room for what is written into its kind. Those for macOS can be signed.
func (m *Maker) Program(path string) []byte {
	var b bytes.Buffer
	b.WriteString("program " + path + "\n")
	b.Write(bytes.Repeat([]byte{0, 'X', '_', 'R'}, 30_000)) // more than is withheld of what is not verified yet
	for _, marker := range markersOf(path) {
		b.Write(marker)
		b.Write(bytes.Repeat([]byte{0x7f, 0}, 500))
	}
	b.WriteString("end of " + path + "\n")
	if strings.Contains(path, "/mac") {
		return machO(b.Bytes())
	}
	return b.Bytes()
}

func markersOf(path string) [][]byte {
	image, version, arch := patch.ReleaseImage("").Marker, patch.Version("").Marker, patch.Architecture("").Marker
	switch {
	case strings.HasSuffix(path, "openshift-install"):
		return [][]byte{arch, image, version}
	case strings.Contains(path, "/oc"):
		return [][]byte{version}
	}
	return nil
}

// machO wraps content as the smallest program for macOS on arm64 that can be
// signed: a segment with the content, and an empty one for the linker.
func machO(content []byte) []byte {
	const head, segment, section = 512, 72, 80
	b := make([]byte, head)
	put32 := func(at int, values ...uint32) {
		for i, v := range values {
			binary.LittleEndian.PutUint32(b[at+4*i:], v)
		}
	}
	put64 := func(at int, v int) { binary.LittleEndian.PutUint64(b[at:], uint64(v)) }
	end := head + len(content)
	put32(0, 0xfeedfacf, 0x0100000c, 0, 2, 2, 2*segment+section)
	put32(32, 0x19, segment+section)
	copy(b[40:], "__TEXT")
	put64(32+32, (end+0x3fff)&^0x3fff)
	put64(32+48, end)
	put32(32+64, 1)
	put64(32+segment+40, len(content))
	put32(32+segment+48, head)
	link := 32 + segment + section
	put32(link, 0x19, segment)
	copy(b[link+8:], "__LINKEDIT")
	put64(link+24, 1<<32)
	put64(link+40, end)
	return append(b, content...)
}

// toolManifests are manifests of the kinds that a cluster chooses among.
var toolManifests = []File{
	{"release-manifests/0000_50_sample_01_request-aws.yaml", []byte(`# Accounts for the sample
apiVersion: cloudcredential.openshift.io/v1
kind: CredentialsRequest
metadata:
  name: sample-aws
  namespace: openshift-sample
  annotations:
    include.release.openshift.io/self-managed-high-availability: "true"
spec:
  providerSpec:
    kind: AWSProviderSpec
    apiVersion: cloudcredential.openshift.io/v1
---
apiVersion: cloudcredential.openshift.io/v1
kind: CredentialsRequest
metadata:
  name: sample-gcp
  namespace: openshift-sample
  annotations:
    include.release.openshift.io/self-managed-high-availability: "true"
    capability.openshift.io/name: Console
spec:
  providerSpec:
    kind: GCPProviderSpec
`)},
	{"release-manifests/0000_60_sample_02_config.json", []byte(`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "sample", "annotations": {"include.release.openshift.io/self-managed-high-availability": "true", "capability.openshift.io/name": "Console"}}, "data": {"b": "2", "a": "1"}}
`)},
	{"release-manifests/sample.txt", []byte("a file that is no manifest\n")},
}

// ToolReleases makes a release of several architectures, as a list, whose
// components are lists too and the same ones for all.
func (m *Maker) ToolReleases(spec ReleaseSpec, platforms ...oci.Platform) (release *Image, components []Component) {
	var singles []*Release
	for _, p := range platforms {
		spec.Platform = p
		singles = append(singles, m.ToolRelease(spec))
	}
	for i, c := range singles[0].Components {
		var children []*Image
		for _, r := range singles {
			children = append(children, r.Components[i].Image)
		}
		components = append(components, Component{Name: c.Name, Image: NewIndex(spec.Format, children...)})
	}
	var children []*Image
	for _, p := range platforms {
		spec.Platform, spec.manifests = p, toolManifests
		payload := spec.withDefaults().payload(components)
		children = append(children, NewImage(ImageSpec{Format: spec.Format, Platform: p, Layers: []Blob{payload}}))
	}
	return NewIndex(spec.Format, children...), components
}
