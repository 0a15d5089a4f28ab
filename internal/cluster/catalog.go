package cluster

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// The names of a catalog's files below its directory of manifests. The one of
// OLM v1 lies in a directory of its own: a cluster before 4.18 does not know the
// kind, and "oc apply -f DIRECTORY" would fail there.
const (
	CatalogSourceFile  = "catalogSource.yaml"
	ICSPFile           = "imageContentSourcePolicy.yaml"
	IDMSFile           = "imageDigestMirrorSet.yaml"
	ITMSFile           = "imageTagMirrorSet.yaml"
	ClusterCatalogFile = "olm-v1/clusterCatalog.yaml"
)

const (
	catalogNamespace = "openshift-marketplace" // where OLM looks for catalogs for all namespaces
	catalogLabel     = "operators.openshift.org/catalog"
	maxCatalogName   = 63 // OLM makes labels and services of it
)

// Catalog is an operator catalog in a mirror, for the objects that make a
// cluster use it (oc.md 15.4).
type Catalog struct {
	// Name is what the objects are called, made valid by CatalogName.
	Name string
	// Index is where the mirror has the index image.
	Index ref.Ref
	// Images are all images that clusters ask for by their original names.
	Images []Mirrored
	// OldForm says that the catalog is an SQLite database, which OLM v1 does not
	// read.
	OldForm bool
	// ICSP is how ImageContentSourcePolicies are made, IDMS how the sets are that
	// came after them.
	ICSP, IDMS SetRules
}

// Mirrored is an image and where the mirror has it.
type Mirrored struct{ Original, Mirror ref.Ref }

// SetRules say how mirror sets are made.
type SetRules struct {
	Scope Scope
	// MaxBytes is the largest object; 0 is MaxSetBytes.
	MaxBytes int
}

// Scope is what the sources of mirror sets are.
type Scope int

// The values of --icsp-scope and --idms-scope.
const (
	ByRepository Scope = iota // a source for each repository
	ByRegistry                // one for a registry, as far as that is true
)

// ParseScope reads the value of a flag; "" is repository.
func ParseScope(s string) (Scope, error) {
	switch s {
	case "", "repository":
		return ByRepository, nil
	case "registry":
		return ByRegistry, nil
	}
	return 0, fmt.Errorf("a scope is repository or registry, not %.100q", s)
}

// Files are the catalog's objects. Kinds without content have no file: a
// catalog that names all images by digest needs no ImageTagMirrorSet. The error
// is *TooLargeError.
func (c Catalog) Files() ([]File, error) {
	digests, tags := c.split()
	apart := apartIn(digests, tags)
	out := []File{{CatalogSourceFile, c.catalogSource()}}
	for _, set := range []setKind{
		{ICSP.names(), ICSPFile, c.ICSP, digests, apart},
		{IDMS.names(), IDMSFile, c.IDMS, digests, apart},
		{names{"config.openshift.io/v1", "ImageTagMirrorSet", "imageTagMirrors", ""}, ITMSFile, c.IDMS, tags, apart},
	} {
		content, err := set.content(CatalogName(c.Name))
		if err != nil {
			return nil, err
		}
		if len(content) > 0 {
			out = append(out, File{set.file, content})
		}
	}
	if !c.OldForm {
		out = append(out, File{ClusterCatalogFile, c.clusterCatalog()})
	}
	return out, nil
}

// split tells the images that clusters ask for by digest from those by tag.
func (c Catalog) split() (digests, tags []Mirrored) {
	for _, image := range c.Images {
		switch {
		case image.Original.IsZero():
		case image.Original.Digest.IsZero():
			tags = append(tags, image)
		default:
			digests = append(digests, image)
		}
	}
	return digests, tags
}

// Addresses are the registries of the catalog's objects that are given by an
// IPv6 address, in order. Clusters refuse ImageDigestMirrorSets,
// ImageTagMirrorSets and ClusterCatalogs with one: they take names and IPv4
// addresses there. An ImageContentSourcePolicy with one is taken, but the nodes
// of the versions that it is for cannot pull then.
func (c Catalog) Addresses() []string {
	hosts := map[string]bool{c.Index.Host: true}
	for _, image := range c.Images {
		hosts[image.Original.Host], hosts[image.Mirror.Host] = true, true
	}
	maps.DeleteFunc(hosts, func(host string, _ bool) bool { return !strings.HasPrefix(host, "[") })
	return slices.Sorted(maps.Keys(hosts))
}

func (c Catalog) catalogSource() []byte {
	return document(map[string]any{
		"apiVersion": "operators.coreos.com/v1alpha1",
		"kind":       "CatalogSource",
		"metadata":   map[string]string{"name": CatalogName(c.Name), "namespace": catalogNamespace},
		"spec":       map[string]string{"image": c.Index.String(), "sourceType": "grpc"},
	})
}

// clusterCatalog is the same for OLM v1 (olm.operatorframework.io/v1). Without
// an interval a tag is not polled, as OLM's catalog source without one.
func (c Catalog) clusterCatalog() []byte {
	return document(map[string]any{
		"apiVersion": "olm.operatorframework.io/v1",
		"kind":       "ClusterCatalog",
		"metadata":   map[string]string{"name": CatalogName(c.Name)},
		"spec": map[string]any{"source": map[string]any{
			"type": "Image", "image": map[string]string{"ref": c.Index.String()},
		}},
	})
}

// CatalogName makes the name of a catalog's objects of any text: a label of
// DNS (RFC 1123), because OLM uses it for services and labels too. It begins
// with a letter, slashes and dots become dashes, and what is too long ends in a
// hash. It has no version in it, so that Subscriptions, which have it in them, go
// on working.
func CatalogName(s string) string {
	name := strings.Trim(strings.ReplaceAll(ObjectName(s), ".", "-"), "-")
	if name[0] >= '0' && name[0] <= '9' {
		name = "catalog-" + name
	}
	if len(name) <= maxCatalogName {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return fmt.Sprintf("%s-%08x", strings.TrimRight(name[:maxCatalogName-9], "-"), h.Sum32())
}
