package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// The annotations by which a cluster chooses among the manifests of a release.
const (
	annotationInclude    = "include.release.openshift.io/"
	annotationFeatureSet = "release.openshift.io/feature-set"
	annotationGate       = "release.openshift.io/feature-gate"
	annotationMajor      = "release.openshift.io/major-version"
	annotationCapability = "capability.openshift.io/name"

	// gateOfOperator marks the FeatureGate objects that list what a feature set
	// turns on; another operator than the usual one applies them.
	gateOfOperator = "false-except-for-the-config-operator"
	defaultProfile = "self-managed-high-availability"
	defaultSet     = "Default"
)

// clouds are the provider kinds of CredentialsRequests by platform.
var clouds = map[string]string{
	"alibabacloud": "AlibabaCloudProviderSpec", "aws": "AWSProviderSpec", "azure": "AzureProviderSpec",
	"gcp": "GCPProviderSpec", "ibmcloud": "IBMCloudProviderSpec", "nutanix": "NutanixProviderSpec",
	"openstack": "OpenStackProviderSpec", "ovirt": "OvirtProviderSpec", "powervs": "IBMCloudPowerVSProviderSpec",
	"vsphere": "VSphereProviderSpec",
}

// Clouds are the values of --cloud, sorted.
func Clouds() []string { return slices.Sorted(maps.Keys(clouds)) }

// ProviderKind is the provider kind of the CredentialsRequests of a cloud, ""
// for a platform that has none.
func ProviderKind(cloud string) string { return clouds[cloud] }

// capabilitySets are the names that each set of capabilities has beyond the
// one before it.
var capabilitySets = []struct {
	name string
	adds []string
}{
	{"None", nil},
	{"v4.11", []string{"baremetal", "marketplace", "openshift-samples", "MachineAPI"}},
	{"v4.12", []string{"Console", "Insights", "Storage", "CSISnapshot"}},
	{"v4.13", []string{"NodeTuning"}},
	{"v4.14", []string{"Build", "DeploymentConfig", "ImageRegistry"}},
	{"v4.15", []string{"OperatorLifecycleManager", "CloudCredential"}},
	{"v4.16", []string{"Ingress", "CloudControllerManager"}},
	{"v4.17", nil},
	{"v4.18", []string{"OperatorLifecycleManagerV1"}},
}

// currentSet stands for all capabilities that a release has.
const currentSet = "vCurrent"

// Inclusion says which manifests of a release a cluster will have.
type Inclusion struct {
	// Platform is what the cluster is installed on, "" if that is not said.
	Platform string
	// FeatureSet is "Default" or another one.
	FeatureSet string
	// capabilities are those that are on; all with nil.
	capabilities map[string]bool
	gates        map[string]bool
	major        string // of the release's version
}

// ParseInstallConfig reads what an install-config.yaml says about it. Errors do
// not quote the file, which has secrets.
func ParseInstallConfig(content []byte) (*Inclusion, error) {
	var w struct {
		APIVersion   string                     `json:"apiVersion"`
		Platform     map[string]json.RawMessage `json:"platform"`
		FeatureSet   string                     `json:"featureSet"`
		Capabilities *struct {
			Baseline   string   `json:"baselineCapabilitySet"`
			Additional []string `json:"additionalEnabledCapabilities"`
		} `json:"capabilities"`
	}
	if err := yaml.Unmarshal(content, &w); err != nil {
		return nil, fmt.Errorf("not valid YAML: %s", yamldoc.Fault(err))
	}
	if w.APIVersion != "v1" {
		return nil, fmt.Errorf("apiVersion is %.100q, and not v1: it is no install-config.yaml", w.APIVersion)
	}
	if len(w.Platform) > 1 {
		return nil, errors.New("it has more than one platform")
	}
	if _, second := yamldoc.Only(content); second > 0 {
		return nil, errors.New("it has several documents, of which the installer would read the first alone")
	}
	in := &Inclusion{FeatureSet: w.FeatureSet}
	if in.FeatureSet == "" {
		in.FeatureSet = defaultSet
	}
	for name := range w.Platform {
		in.Platform = name
	}
	if w.Capabilities == nil {
		return in, nil
	}
	return in, in.setCapabilities(w.Capabilities.Baseline, w.Capabilities.Additional)
}

func (in *Inclusion) setCapabilities(baseline string, additional []string) error {
	if baseline == "" || baseline == currentSet {
		return nil // whatever this release has
	}
	in.capabilities = map[string]bool{}
	names := []string{currentSet}
	for _, set := range capabilitySets {
		names = append(names, set.name)
		for _, c := range set.adds {
			in.capabilities[c] = true
		}
		if set.name == baseline {
			for _, c := range additional {
				in.capabilities[c] = true
			}
			return nil
		}
	}
	return fmt.Errorf("unrecognized baselineCapabilitySet %.100q; known are %s", baseline, strings.Join(names, ", "))
}

// ReadGates learns from the release's own manifests which feature gates the
// feature set turns on.
func (in *Inclusion) ReadGates(version string, objects []Object) error {
	in.major, _, _ = strings.Cut(version, ".")
	in.gates = map[string]bool{}
	for _, o := range objects {
		if o.Group != "config.openshift.io" || o.Kind != "FeatureGate" ||
			o.Annotations[annotationInclude+defaultProfile] != gateOfOperator || o.Annotations[annotationFeatureSet] != in.FeatureSet {
			continue
		}
		if versions, some := o.Annotations[annotationMajor]; some && !slices.Contains(words(versions, ","), in.major) {
			continue
		}
		var w struct {
			Status struct {
				FeatureGates []struct {
					Enabled []struct {
						Name string `json:"name"`
					} `json:"enabled"`
				} `json:"featureGates"`
			} `json:"status"`
		}
		if err := json.Unmarshal(o.raw, &w); err != nil {
			return fmt.Errorf("FeatureGate %q: %w", o.Name, err)
		}
		for _, version := range w.Status.FeatureGates {
			for _, gate := range version.Enabled {
				in.gates[gate.Name] = true
			}
		}
	}
	return nil
}

// words splits a list and trims its parts; empty ones are left out.
func words(list, separator string) []string {
	var out []string
	for word := range strings.SplitSeq(list, separator) {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// Excludes says why a cluster will not have an object, "" if it will.
func (in *Inclusion) Excludes(o *Object) string {
	for _, reason := range []func(*Object) string{in.byProfile, in.byFeatureSet, in.byGate, in.byMajor, in.byCapability} {
		if why := reason(o); why != "" {
			return why
		}
	}
	return ""
}

func (in *Inclusion) byProfile(o *Object) string {
	name := annotationInclude + defaultProfile
	if value, ok := o.Annotations[name]; !ok || value != "true" {
		return fmt.Sprintf("%s is %q", name, value)
	}
	return ""
}

func (in *Inclusion) byFeatureSet(o *Object) string {
	sets, some := o.Annotations[annotationFeatureSet]
	_, gated := o.Annotations[annotationGate]
	switch {
	case some && gated:
		return "it has a feature set and a feature gate"
	case some && !slices.Contains(strings.Split(sets, ","), in.FeatureSet):
		return fmt.Sprintf("it is for the feature set %s", sets)
	}
	return ""
}

func (in *Inclusion) byGate(o *Object) string {
	for _, gate := range words(o.Annotations[annotationGate], ",") {
		gate, off := strings.CutPrefix(gate, "-")
		if in.gates[gate] == off {
			return fmt.Sprintf("it depends on the feature gate %s", gate)
		}
	}
	return ""
}

// byMajor looks at versions, of which one must be the release's if any are
// named without a minus before them.
func (in *Inclusion) byMajor(o *Object) string {
	versions, some := o.Annotations[annotationMajor]
	if !some {
		return ""
	}
	if (o.Group != "config.openshift.io" || o.Kind != "FeatureGate") && (o.Group != "apiextensions.k8s.io" || o.Kind != "CustomResourceDefinition") {
		return "only feature gates and custom resources can be for a major version"
	}
	wanted, has := false, false
	for _, v := range words(versions, ",") {
		number, not := strings.CutPrefix(v, "-")
		if _, err := strconv.ParseUint(number, 10, 64); err != nil {
			return fmt.Sprintf("invalid major version %.100q", number)
		}
		if not && number == in.major {
			return "it is not for major version " + number
		}
		wanted, has = wanted || !not, has || !not && number == in.major
	}
	if wanted && !has {
		return "it is for other major versions: " + versions
	}
	return ""
}

func (in *Inclusion) byCapability(o *Object) string {
	if in.capabilities == nil {
		return ""
	}
	for _, c := range words(o.Annotations[annotationCapability], "+") {
		if !in.capabilities[c] {
			return "disabled capability: " + c
		}
	}
	return ""
}
