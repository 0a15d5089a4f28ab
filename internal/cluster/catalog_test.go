package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

const pinned = "@sha256:c0301e4686c3ed4206e370b42de5a3bd2229b9fb4906cf85f3f30650424abec2"

func mirrored(pairs ...string) []cluster.Mirrored {
	var out []cluster.Mirrored
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, cluster.Mirrored{Original: ref.MustParse(pairs[i]), Mirror: ref.MustParse(pairs[i+1])})
	}
	return out
}

// redhat is a catalog whose index image and one related image have tags.
func redhat() cluster.Catalog {
	return cluster.Catalog{
		Name:  "redhat-operator-index",
		Index: ref.MustParse("m.example.com:5000/olm-mirror/redhat-redhat-operator-index:v4.14"),
		Images: mirrored(
			"registry.redhat.io/redhat/redhat-operator-index:v4.14", "m.example.com:5000/olm-mirror/redhat-redhat-operator-index:v4.14",
			"registry.redhat.io/3scale-amp2/apicast-gateway-rhel8"+pinned, "m.example.com:5000/olm-mirror/3scale-amp2-apicast-gateway-rhel8:a3c5d1fa",
			"busybox"+pinned, "m.example.com:5000/olm-mirror/library-busybox:1",
			"quay.io/a/b:v1", "m.example.com:5000/olm-mirror/a-b:v1",
			"quay.io/a/b"+pinned, "m.example.com:5000/olm-mirror/a-b:2f1eb95",
		),
	}
}

func catalogFiles(t *testing.T, c cluster.Catalog) map[string]string {
	t.Helper()
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		out[f.Name] = string(f.Content)
	}
	return out
}

func TestCatalogFiles(t *testing.T) {
	files := catalogFiles(t, redhat())
	if len(files) != 5 {
		t.Errorf("%d files, want 5", len(files))
	}
	for name, content := range files {
		golden(t, "catalog/"+strings.ReplaceAll(name, "/", "-"), content)
	}
}

// The limit counts every byte of an object: two sources that fill it are in one.
func TestMirrorSetsAreFilled(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1"), Images: mirrored(
		"quay.io/a/b"+pinned, "m.io/x/a-b:1", "quay.io/c/d"+pinned, "m.io/x/c-d:1",
	)}
	size := len(catalogFiles(t, c)[cluster.IDMSFile]) - len("---\n")
	for limit, want := range map[int]int{size: 1, size - 1: 2} {
		c.IDMS.MaxBytes = limit
		if got := strings.Count(catalogFiles(t, c)[cluster.IDMSFile], "---\n"); got != want {
			t.Errorf("with %d bytes for %d there are %d objects, want %d", limit, size, got, want)
		}
	}
}

// Without a limit named, objects have at most 250,000 bytes, and use them.
func TestMirrorSetsHaveALimit(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1")}
	long := strings.Repeat("a", 200)
	for i := range 600 {
		c.Images = append(c.Images, mirrored(fmt.Sprintf("quay.io/a/%s%d%s", long, i, pinned), fmt.Sprintf("m.io/x/a-%s%d:1", long, i))...)
	}
	parts := strings.Split(catalogFiles(t, c)[cluster.ICSPFile], "---\n")[1:]
	if len(parts) != 2 || len(parts[0]) > 250_000 || len(parts[0]) < 250_000-2*(entryLen+2*len(long)) {
		t.Errorf("%d objects, the first of %d bytes", len(parts), len(parts[0]))
	}
}

// Where as many images of a registry are in one place of the mirror as in
// another, it is always the same place that counts as the registry's.
func TestRegistryScopeOfTwoPlaces(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1"), Images: mirrored(
		"quay.io/a/b"+pinned, "m.io/x/a/b:1", "quay.io/c/d"+pinned, "m.io/y/c/d:1", "quay.io/e/f"+pinned, "m.io/z/e/f:1",
	)}
	c.IDMS.Scope = cluster.ByRegistry
	want := map[string]string{"quay.io": "m.io/x", "quay.io/c/d": "m.io/y/c/d", "quay.io/e/f": "m.io/z/e/f"}
	for range 20 {
		if diff := cmp.Diff(want, sourcesIn(catalogFiles(t, c)[cluster.IDMSFile])); diff != "" {
			t.Fatal(diff)
		}
	}
}

// The same catalog in another order is the same bytes (oc.md W16).
func TestCatalogFilesAreDeterministic(t *testing.T) {
	for _, scope := range []cluster.Scope{cluster.ByRepository, cluster.ByRegistry} {
		c := redhat()
		c.Images = append(c.Images, mirrored(
			"quay.io/a/b"+pinned, "m.example.com:5000/olm-mirror/a-b-1:v1", // in several places
			"quay.io/a/b"+pinned, "m.example.com:5000/olm-mirror/a-b-0:v1",
		)...)
		c.ICSP.Scope, c.IDMS.Scope = scope, scope
		want := catalogFiles(t, c)
		c.Images = append(c.Images, c.Images...)
		slices.Reverse(c.Images)
		if diff := cmp.Diff(want, catalogFiles(t, c)); diff != "" {
			t.Error(diff)
		}
	}
}

// A cluster finds every image where the mirror has it, whatever the scope.
func TestMirrorSetsLeadToTheMirror(t *testing.T) {
	nested := mirrored(
		"quay.io/a"+pinned, "m.io/x/moved-a:1", // a source that the next one's name continues
		"quay.io/a/b"+pinned, "m.io/x/a/b:1",
		"quay.io/c/d"+pinned, "m.io/x/c/d:1",
		"quay.io/c/d/e/f"+pinned, "m.io/x/c/d/e-f:1",
		"registry.redhat.io/c/d"+pinned, "m.io/x/c/d:2",
		"registry.redhat.io/c/d:v1", "m.io/x/c/d-0123:v1",
		"quay.io/c/d:v1", "m.io/x/c/d:v1",
		"registry.redhat.io/c/d/g"+pinned, "m.io/x/c/d/g:1", // below one whose tags are moved
		"registry.redhat.io/e/f:v1", "m.io/x/e/f:v1",
		"registry.redhat.io/h/i:v1", "m.io/x/h/i:v1",
		"busybox:1", "m.io/x/library/busybox:1",
	)
	flat := redhat().Images
	for _, images := range [][]cluster.Mirrored{nested, flat} {
		for _, scope := range []cluster.Scope{cluster.ByRepository, cluster.ByRegistry} {
			c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1"), Images: images}
			c.ICSP.Scope, c.IDMS.Scope = scope, scope
			files := catalogFiles(t, c)
			leads(t, images, true, files[cluster.ICSPFile], "")
			leads(t, images, true, files[cluster.IDMSFile], files[cluster.ITMSFile])
			leads(t, images, false, files[cluster.ITMSFile], files[cluster.IDMSFile])
		}
	}
}

// leads checks that the first candidate that a cluster tries is the mirror's, with
// the sets for images of the kind, and others beside them: a node takes the
// longest source of all, also where that has no mirror for the image.
func leads(t *testing.T, images []cluster.Mirrored, digests bool, sets, others string) {
	t.Helper()
	for _, image := range images {
		if image.Original.Digest.IsZero() == digests {
			continue
		}
		sources := sourcesIn(others)
		for source := range sources {
			sources[source] = "no mirror"
		}
		maps.Copy(sources, sourcesIn(sets))
		if got := longest(sources, image.Original.Canonical().Repository().String()); got != image.Mirror.Repository().String() {
			t.Errorf("%s is looked for in %q, want %s, by\n%s%s", image.Original, got, image.Mirror.Repository(), sets, others)
		}
	}
}

var entry = regexp.MustCompile(`(?m)^  - mirrors:\n    - (.*)\n    source: (.*)\n`)

// sourcesIn reads the sources of a file, which have a mirror each.
func sourcesIn(text string) map[string]string {
	out := map[string]string{}
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		out[m[2]] = m[1]
	}
	return out
}

// longest does what a node does: the longest source that fits is taken.
func longest(sources map[string]string, repository string) string {
	best, mirror := -1, ""
	for source, m := range sources {
		rest, ok := strings.CutPrefix(repository+"/", source+"/")
		if ok && len(source) > best {
			best, mirror = len(source), strings.TrimSuffix(m+"/"+rest, "/")
		}
	}
	return mirror
}

// Where paths are kept there is one source a registry; oc drops the path.
func TestRegistryScope(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1"), Images: mirrored(
		"quay.io/a/b"+pinned, "m.io/x/a/b:1",
		"quay.io/c/d"+pinned, "m.io/x/c/d:1",
		"quay.io/e/f/g"+pinned, "m.io/x/e/f-g:1",
	)}
	c.IDMS.Scope = cluster.ByRegistry
	files := catalogFiles(t, c)
	want := map[string]string{"quay.io": "m.io/x", "quay.io/e/f/g": "m.io/x/e/f-g"}
	if diff := cmp.Diff(want, sourcesIn(files[cluster.IDMSFile])); diff != "" {
		t.Error(diff)
	}
	if got := len(sourcesIn(files[cluster.ICSPFile])); got != 3 {
		t.Errorf("the other kind has %d sources, want 3", got)
	}
}

func TestMirrorSetsAreSplit(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1")}
	for i := range 300 {
		c.Images = append(c.Images, mirrored(fmt.Sprintf("quay.io/a/b%d%s", i, pinned), fmt.Sprintf("m.io/x/a-b%d:1", i))...)
	}
	c.IDMS.MaxBytes = 1000
	files := catalogFiles(t, c)
	whole, parts := files[cluster.ICSPFile], strings.Split(files[cluster.IDMSFile], "---\n")[1:]
	if strings.Count(whole, "---\n") != 1 {
		t.Error("an object that fits is split")
	}
	for i, part := range parts {
		if !strings.Contains(part, fmt.Sprintf("  name: x-%d\n", i)) {
			t.Errorf("object %d has another name:\n%s", i, part)
		}
		if len(part) > 1000 {
			t.Errorf("object %d has %d bytes", i, len(part))
		}
		// The next source would not have fitted.
		if len(part) < 1000-2*entryLen && i < len(parts)-1 {
			t.Errorf("object %d has %d bytes only", i, len(part))
		}
	}
	if diff := cmp.Diff(sourcesIn(whole), sourcesIn(strings.Join(parts, ""))); diff != "" {
		t.Error(diff)
	}
}

// entryLen is about the length of an entry of the test above.
const entryLen = len("  - mirrors:\n    - m.io/x/a-b000\n    source: quay.io/a/b000\n")

// The limit is exact: an object of that size is made, one byte less is an error.
func TestOneSourceOverTheLimit(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1"), Images: mirrored("quay.io/a/b"+pinned, "m.io/x/a-b:1")}
	size := len(catalogFiles(t, c)[cluster.ICSPFile]) - len("---\n")
	c.ICSP.MaxBytes = size
	catalogFiles(t, c)
	c.ICSP.MaxBytes = size - 1
	_, err := c.Files()
	if e, ok := errors.AsType[*cluster.TooLargeError](err); !ok || e.Bytes != size || e.Source != "quay.io/a/b" || e.Limit != size-1 {
		t.Errorf("%v", err)
	}
}

func TestFilesThatHaveNothingAreNotMade(t *testing.T) {
	c := redhat()
	c.OldForm = true
	c.Images = mirrored("quay.io/a/b"+pinned, "m.io/a/b:1")
	c.Images = append(c.Images, cluster.Mirrored{Mirror: ref.MustParse("m.io/x/index:v1")}) // of unknown origin
	files := catalogFiles(t, c)
	for _, name := range []string{cluster.ITMSFile, cluster.ClusterCatalogFile} {
		if _, ok := files[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
}

func TestAddresses(t *testing.T) {
	c := redhat()
	if got := c.Addresses(); len(got) != 0 {
		t.Errorf("names are addresses: %v", got)
	}
	c.Index = ref.MustParse("[fd00::2]/olm/index:v1")
	c.Images = append(c.Images, mirrored(
		"[fd00::1]:5000/a/b:v1", "[fd00::2]/olm/a-b:v1", "10.0.0.1:5000/a/c:v1", "[fd00::2]/olm/a-c:v1",
	)...)
	if diff := cmp.Diff([]string{"[fd00::1]:5000", "[fd00::2]"}, c.Addresses()); diff != "" {
		t.Error(diff)
	}
}

var dnsLabel = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func TestCatalogName(t *testing.T) {
	long := strings.Repeat("a-long-name-", 10)
	for in, want := range map[string]string{
		"redhat-operator-index":              "redhat-operator-index",
		"index/redhat/redhat-operator-index": "index-redhat-redhat-operator-index",
		"my.index_of__things":                "my-index-of--things",
		"3scale":                             "catalog-3scale",
		"Index":                              "index",
		"--":                                 "mirror",
	} {
		if got := cluster.CatalogName(in); got != want {
			t.Errorf("CatalogName(%q) = %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{long, long + "b", "", ".", "9", "é", strings.Repeat("9", 300), strings.Repeat("a/", 200)} {
		if got := cluster.CatalogName(in); !dnsLabel.MatchString(got) {
			t.Errorf("CatalogName(%q) = %q", in, got)
		}
	}
	if cluster.CatalogName(long) == cluster.CatalogName(long+"b") {
		t.Error("two long names are one")
	}
}

func TestParseScope(t *testing.T) {
	for in, want := range map[string]cluster.Scope{"": cluster.ByRepository, "repository": cluster.ByRepository, "registry": cluster.ByRegistry} {
		if got, err := cluster.ParseScope(in); got != want || err != nil {
			t.Errorf("ParseScope(%q) = %v, %v", in, got, err)
		}
	}
	if _, err := cluster.ParseScope("namespace"); err == nil {
		t.Error("namespace is a scope")
	}
}

func TestCatalogReport(t *testing.T) {
	files, err := redhat().Files()
	if err != nil {
		t.Fatal(err)
	}
	onlyTags := redhat()
	onlyTags.Images = mirrored("quay.io/a/b:v1", "m.io/a/b:v1")
	tagFiles, err := onlyTags.Files()
	if err != nil {
		t.Fatal(err)
	}
	upload := ref.MustParse("file://local/index/redhat/redhat-operator-index:v4.14")
	for name, r := range map[string]cluster.CatalogReport{
		"registry": {Program: "oc", Dir: "manifests-redhat-operator-index-1614211642", Files: files, Tagged: 1},
		"tags":     {Program: "oc", Dir: "my manifests", Files: tagFiles, Tagged: 1},
		"disk":     {Program: "airbridge", Dir: "manifests-redhat-operator-index-1614211642", Upload: upload},
		"dir":      {Program: "airbridge", Dir: "out", Upload: upload, FromDir: "/media/my stick"},
	} {
		golden(t, "catalog/report-"+name+".txt", r.String())
	}
}

// Where nothing is redirected, the report does not speak of mirror sets.
func TestCatalogReportWithoutMirrorSets(t *testing.T) {
	c := cluster.Catalog{Name: "x", Index: ref.MustParse("m.io/x/index:v1")}
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	if got := (cluster.CatalogReport{Program: "oc", Dir: "out", Files: files}).String(); strings.Contains(got, "mirror sets") || !strings.Contains(got, "global pull secret") {
		t.Error(got)
	}
}

// The parser of mirror rules, which reads what users have, reads these too.
func TestCatalogFilesCanBeRead(t *testing.T) {
	var all bytes.Buffer
	files := catalogFiles(t, redhat())
	for _, name := range []string{cluster.ICSPFile, cluster.IDMSFile, cluster.ITMSFile} {
		all.WriteString(files[name])
	}
	rules, err := cluster.ParseMirrors("all.yaml", all.Bytes())
	if err != nil || rules.Len() != 8 {
		t.Errorf("%d rules, %v", rules.Len(), err)
	}
}
