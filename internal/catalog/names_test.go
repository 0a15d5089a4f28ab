package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

const (
	rhIndex = "registry.redhat.io/redhat/redhat-operator-index:v4.14"
	apicast = "registry.redhat.io/3scale-amp2/apicast-gateway-rhel8@" + etcd
	onDisk  = "file://local/index/redhat/redhat-operator-index:v4.14"
)

func images(refs ...string) []catalog.Image {
	var out []catalog.Image
	for _, r := range refs {
		out = append(out, catalog.Image{Ref: r})
	}
	return out
}

// named are the mappings of a run, as text.
func named(t *testing.T, n catalog.Naming, refs ...string) (catalog.Names, string) {
	t.Helper()
	names, err := n.Names(images(refs...))
	if err != nil {
		t.Fatal(err)
	}
	return names, string(names.MappingText())
}

func naming(index, dest string, limit int) catalog.Naming {
	return catalog.Naming{Index: ref.MustParse(index), Dest: ref.MustParse(dest), Max: limit}
}

// The three flows of the document, 3.7.2.
func TestNamesOfTheFlows(t *testing.T) {
	tag := catalog.HashTag(apicast)
	for _, c := range []struct {
		name     string
		naming   catalog.Naming
		mapping  string
		calledBy string
	}{
		{
			"direct", naming(rhIndex, "m.io:5000/olm-mirror", 2),
			apicast + "=m.io:5000/olm-mirror/3scale-amp2-apicast-gateway-rhel8:" + tag + "\n" +
				rhIndex + "=m.io:5000/olm-mirror/redhat-redhat-operator-index:v4.14\n" +
				"registry.redhat.io/x/y:v1=m.io:5000/olm-mirror/x-y:v1\n",
			"redhat-operator-index",
		},
		{
			"step one, whose limit is not for directories", naming(rhIndex, "file:///local/index", 2),
			apicast + "=file://local/index/redhat/redhat-operator-index/3scale-amp2/apicast-gateway-rhel8:" + tag + "\n" +
				rhIndex + "=" + onDisk + "\n" +
				"registry.redhat.io/x/y:v1=file://local/index/redhat/redhat-operator-index/x/y:v1\n",
			"redhat-operator-index",
		},
		{
			"step two", naming(onDisk, "m.io:5000/olm-mirror", 2),
			"file://local/index/redhat/redhat-operator-index/3scale-amp2/apicast-gateway-rhel8@" + etcd + "=m.io:5000/olm-mirror/3scale-amp2-apicast-gateway-rhel8:" + tag + "\n" +
				"file://local/index/redhat/redhat-operator-index/x/y:v1=m.io:5000/olm-mirror/x-y:v1\n" +
				onDisk + "=m.io:5000/olm-mirror/local-index-redhat-redhat-operator-index:v4.14\n",
			"local-index-redhat-redhat-operator-index",
		},
		{
			"step two without a limit", naming(onDisk, "m.io:5000", 0),
			"file://local/index/redhat/redhat-operator-index/3scale-amp2/apicast-gateway-rhel8@" + etcd + "=m.io:5000/3scale-amp2/apicast-gateway-rhel8:" + tag + "\n" +
				"file://local/index/redhat/redhat-operator-index/x/y:v1=m.io:5000/x/y:v1\n" +
				onDisk + "=m.io:5000/local/index/redhat/redhat-operator-index:v4.14\n",
			"index/redhat/redhat-operator-index",
		},
		{
			"step three", naming("m.io:5000/olm-mirror/local-index-redhat-redhat-operator-index:v4.14", "m.io:5000/olm-mirror", 2),
			apicast + "=m.io:5000/olm-mirror/3scale-amp2-apicast-gateway-rhel8:" + tag + "\n" +
				"registry.redhat.io/x/y:v1=m.io:5000/olm-mirror/x-y:v1\n",
			"local-index-redhat-redhat-operator-index",
		},
		{
			"step three without a repository", naming("m.io:5000/local/index-redhat-redhat-operator-index:v4.14", "m.io:5000", 2),
			apicast + "=m.io:5000/3scale-amp2/apicast-gateway-rhel8:" + tag + "\n" +
				"registry.redhat.io/x/y:v1=m.io:5000/x/y:v1\n",
			"index-redhat-redhat-operator-index",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, got := named(t, c.naming, "registry.redhat.io/x/y:v1", apicast)
			if diff := cmp.Diff(c.mapping, got); diff != "" {
				t.Error(diff)
			}
			if got := catalog.RepositoryName(names.Named); got != c.calledBy {
				t.Errorf("objects are called after %s, want %s", got, c.calledBy)
			}
			if names.InPlace != strings.HasPrefix(c.name, "step three") {
				t.Errorf("in place: %v", names.InPlace)
			}
		})
	}
}

// A catalog with fewer packages does not overwrite the one it was made of.
func TestChangedIndexIsNotInPlace(t *testing.T) {
	n := naming("m.io/olm/my-index:v1", "m.io/olm", 2)
	n.Changed = true
	names, _ := named(t, n)
	if names.InPlace || names.Index.Destination != ref.MustParse("m.io/olm/olm-my-index:v1") {
		t.Errorf("in place: %v, at %s", names.InPlace, names.Index.Destination)
	}
}

// A catalog source names the index image as the user does: by tag or digest.
func TestServed(t *testing.T) {
	const pinned = "registry.redhat.io/redhat/redhat-operator-index@" + etcd
	for _, c := range []struct {
		index   string
		changed bool
		want    string
	}{
		{rhIndex, false, "m.io/redhat/redhat-operator-index:v4.14"},
		{pinned, false, "m.io/redhat/redhat-operator-index@" + etcd},
		{pinned, true, "m.io/redhat/redhat-operator-index:" + catalog.HashTag(pinned)},
		{"m.io/x/y@" + etcd, false, "m.io/x/y@" + etcd},
	} {
		n := naming(c.index, "m.io", 2)
		n.Changed = c.changed
		if names, _ := named(t, n); names.Served.String() != c.want {
			t.Errorf("%s: catalog sources name %s, want %s", c.index, names.Served, c.want)
		}
	}
}

// What follows the second run is what clusters are given: the same for step
// two, with and without the medium's memory, and step three.
func TestStepsTwoAndThreeAgree(t *testing.T) {
	refs := []string{apicast, "quay.io/a/b-c:v1", "quay.io/a-b/c:v1", "registry.redhat.io/x/y:v1"}
	one, _ := named(t, naming(rhIndex, "file://local/index", 2), refs...)
	memory := one.Remember(oci.FromBytes([]byte("index")))
	two := naming(onDisk, "m.io/olm-mirror", 2)
	two.Memory, two.Original = &memory, memory.Original
	remembered, _ := named(t, two, refs...)
	forgotten, _ := named(t, naming(onDisk, "m.io/olm-mirror", 2), refs...)
	last := naming(remembered.Index.Destination.String(), "m.io/olm-mirror", 2)
	three, _ := named(t, last, refs...)
	last.Memory, last.Original = &memory, memory.Original
	if again, text := named(t, last, refs...); text != string(remembered.MappingText()) || !again.InPlace {
		t.Errorf("with the medium at hand the third run maps\n%s\nthe second\n%s", text, remembered.MappingText())
	}
	for _, other := range []catalog.Names{forgotten, three} {
		if other.Named != remembered.Named || other.Index.Destination != remembered.Index.Destination {
			t.Errorf("the index image: %v and %v", other.Index, remembered.Index)
		}
		for i, image := range other.Images {
			if image.Original != remembered.Images[i].Original || image.Destination != remembered.Images[i].Destination {
				t.Errorf("%v and %v", image, remembered.Images[i])
			}
		}
	}
	if remembered.Index.Original != ref.MustParse(rhIndex) || !forgotten.Index.Original.IsZero() {
		t.Errorf("the index image's original: %v, without memory %v", remembered.Index.Original, forgotten.Index.Original)
	}
}

// An index image that is named by its digest is mapped to a tag in both runs, and
// served by the digest.
func TestStepsTwoAndThreeAgreeByDigest(t *testing.T) {
	one, _ := named(t, naming(rhIndex, "file://local/index", 2), apicast)
	memory := one.Remember(oci.FromBytes([]byte("index")))
	two := naming("file://local/index/redhat/redhat-operator-index@"+etcd, "m.io/olm-mirror", 2)
	two.Memory, two.Original = &memory, memory.Original
	second, text := named(t, two, apicast)
	three := naming(second.Served.String(), "m.io/olm-mirror", 2)
	three.Memory, three.Original = &memory, memory.Original
	third, again := named(t, three, apicast)
	if again != text || third.Served != second.Served || third.Index.Destination != second.Index.Destination || third.Index.Source != second.Index.Source {
		t.Errorf("the third run maps\n%s(%v)\nthe second\n%s(%v)", again, third.Index, text, second.Index)
	}
	if strings.Count(text, "\n") != 2 || strings.Contains(text, "local-index-redhat-redhat-operator-index@") {
		t.Errorf("mapped to a digest:\n%s", text)
	}
}

// A medium that some other image was pushed from is not where this one's are read.
func TestMemoryOfAnotherPlaceIsNoSource(t *testing.T) {
	one, _ := named(t, naming(rhIndex, "file://local/index", 2), apicast)
	memory := one.Remember(oci.FromBytes([]byte("index")))
	direct := naming("m.io/olm-mirror/redhat-redhat-operator-index:v4.14", "m.io/olm-mirror", 2)
	_, want := named(t, direct, apicast)
	direct.Memory = &memory
	if _, got := named(t, direct, apicast); got != want {
		t.Errorf("an index image that was pushed from its registry is mapped as\n%s", got)
	}
}

// A place on the medium that is not the usual one is known to the memory alone.
func TestStepTwoReadsWhereStepOneWrote(t *testing.T) {
	refs := []string{"quay.io/a/b:v1", "docker.io/a/b:v1"}
	one, _ := named(t, naming(rhIndex, "file://local/index", 0), refs...)
	if len(one.Collisions) != 1 {
		t.Fatalf("collisions: %v", one.Collisions)
	}
	memory := one.Remember(oci.FromBytes([]byte("index")))
	two := naming(onDisk, "m.io", 0)
	two.Memory = &memory
	names, _ := named(t, two, refs...)
	for i := range names.Images {
		if names.Images[i].Source != one.Images[i].Destination {
			t.Errorf("%s is read from %s, it was written to %s", names.Images[i].Original, names.Images[i].Source, one.Images[i].Destination)
		}
	}
}

func TestCollisions(t *testing.T) {
	other := strings.Replace(etcd, "c030", "d030", 1)
	for _, c := range []struct {
		name  string
		refs  []string
		moved []string
	}{
		{
			"tags of two registries",
			[]string{"docker.io/a/b:v1", "quay.io/a/b:v1"},
			[]string{"quay.io/a/b:v1"},
		},
		{
			"paths that are joined",
			[]string{"quay.io/a/b-c:v1", "quay.io/a-b/c:v1"},
			[]string{"quay.io/a/b-c:v1"},
		},
		{
			"all tags of a repository stay together",
			[]string{"docker.io/a/b:v1", "quay.io/a/b:v1", "quay.io/a/b:v2"},
			[]string{"quay.io/a/b:v1", "quay.io/a/b:v2"},
		},
		{"different tags are no collision", []string{"docker.io/a/b:v1", "quay.io/a/b:v2"}, nil},
		{
			"digests with a tag get another tag",
			[]string{"quay.io/a/b:v1@" + etcd, "quay.io/a/b:v1@" + other},
			[]string{"quay.io/a/b:v1@" + other},
		},
		{
			"a tag alone goes before a digest with a tag",
			[]string{"docker.io/a/b:v1@" + etcd, "quay.io/a/b:v1"},
			[]string{"docker.io/a/b:v1@" + etcd},
		},
		{"digests alone have tags of their own", []string{"quay.io/a/b@" + etcd, "docker.io/a/b@" + etcd, "quay.io/a/b@" + other}, nil},
		{"another spelling is the same image", []string{"busybox:1", "docker.io/library/busybox:1", "docker.io/busybox:1"}, nil},
		{
			"nothing takes the index image's name",
			[]string{"quay.io/redhat/redhat-operator-index:v4.14"},
			[]string{"quay.io/redhat/redhat-operator-index:v4.14"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, text := named(t, naming(rhIndex, "m.io/x", 2), c.refs...)
			var moved []string
			for _, collision := range names.Collisions {
				moved = append(moved, key(collision.Moved))
				if collision.Kept == collision.Moved || collision.Kept.IsZero() || collision.Usual == collision.Name {
					t.Errorf("%+v", collision)
				}
			}
			if diff := cmp.Diff(c.moved, moved); diff != "" {
				t.Errorf("moved: %s", diff)
			}
			seen := map[ref.Ref]bool{}
			for _, name := range names.All() {
				if seen[name.Destination] {
					t.Errorf("%s is twice in\n%s", name.Destination, text)
				}
				seen[name.Destination] = true
			}
			slices.Reverse(c.refs)
			if again, reversed := named(t, naming(rhIndex, "m.io/x", 2), c.refs...); reversed != text || !slices.Equal(again.Collisions, names.Collisions) {
				t.Errorf("in another order:\n%s\nwant\n%s", reversed, text)
			}
		})
	}
}

// key is a reference with its tag and its digest.
func key(r ref.Ref) string {
	if r.Tag != "" && !r.Digest.IsZero() {
		return r.Repository().WithTag(r.Tag).String() + "@" + r.Digest.String()
	}
	return r.String()
}

// A name that is moved depends on its image alone, so that it is the same
// whatever else the next version of the catalog names.
func TestMovedNamesAreStable(t *testing.T) {
	small, _ := named(t, naming(rhIndex, "m.io/x", 2), "docker.io/a/b:v1", "quay.io/a/b:v1")
	large, _ := named(t, naming(rhIndex, "m.io/x", 2), "docker.io/a/b:v1", "ghcr.io/a/b:v1", "quay.io/a/b:v1", "quay.io/a/b:v2")
	if len(small.Collisions) != 1 || !slices.Contains(large.Collisions, small.Collisions[0]) {
		t.Errorf("%v is not in %v", small.Collisions, large.Collisions)
	}
	if want := "m.io/x/a-b-"; !strings.HasPrefix(small.Collisions[0].Name.String(), want) || small.Collisions[0].Name.Tag != "v1" {
		t.Errorf("the name is %s", small.Collisions[0].Name)
	}
}

// What moves gets a name that registries take, or is told.
func TestLongNamesThatCollide(t *testing.T) {
	tag, other := ":"+strings.Repeat("t", 128)+"@", strings.Replace(etcd, "c030", "d030", 1)
	names, _ := named(t, naming(rhIndex, "m.io/x", 2), "quay.io/a/b"+tag+etcd, "quay.io/a/b"+tag+other)
	if len(names.Images) != 2 || len(names.Refused) > 0 {
		t.Fatal(names.Images, names.Refused)
	}
	for _, n := range names.Images {
		if err := oci.CheckTag(n.Destination.Tag); err != nil {
			t.Error(err)
		}
	}
	long := "a/" + strings.Repeat("b", 240) + ":v1"
	names, _ = named(t, naming(rhIndex, "m.io/x", 2), "docker.io/"+long, "quay.io/"+long)
	if len(names.Images) != 1 || len(names.Refused) != 1 || names.Refused[0].Image.Ref != "quay.io/"+long {
		t.Error(names.Images, names.Refused)
	}
}

func TestNamesRefused(t *testing.T) {
	long := "quay.io/" + strings.Repeat("a", 240) + ":v1"
	names, text := named(t, naming(rhIndex, "m.io/olm-mirror-with-a-name", 2), "quay.io/A/b:v1", "quay.io", "file://a/b:v1", long, apicast)
	var refused []string
	for _, r := range names.Refused {
		refused = append(refused, r.Image.Ref)
		if r.Err == nil {
			t.Errorf("%s without a reason", r.Image.Ref)
		}
	}
	if diff := cmp.Diff([]string{"file://a/b:v1", "quay.io", "quay.io/A/b:v1", long}, refused); diff != "" {
		t.Error(diff)
	}
	if len(names.Images) != 1 || strings.Count(text, "\n") != 2 {
		t.Errorf("the rest is lost:\n%s", text)
	}
	if _, err := naming(rhIndex, "m.io", 1).Names(nil); err == nil {
		t.Error("one component is accepted")
	}
}

// "image mirror -f" reads the file back to the same images and names.
func TestMappingTextIsReadBack(t *testing.T) {
	refs := []string{apicast, "docker.io/a/b:v1@" + etcd, "quay.io/a/b:v1", "docker.io/a/b:v1", "busybox", "registry.redhat.io/x/y@" + etcd}
	for _, n := range []catalog.Naming{
		naming(rhIndex, "m.io:5000/olm-mirror", 2), naming(rhIndex, "file://local/index", 0), naming(onDisk, "m.io:5000", 0),
		naming("registry.redhat.io/redhat/redhat-operator-index@"+etcd, "m.io:5000/olm-mirror", 2),
	} {
		names, text := named(t, n, refs...)
		mappings, err := imagelist.ParseFile("mapping.txt", strings.NewReader(text))
		if err != nil || len(mappings) != len(refs)+1 {
			t.Fatalf("%d mappings, %v, in\n%s", len(mappings), err, text)
		}
		want := map[ref.Ref]string{}
		for _, name := range names.All() {
			want[name.Destination] = name.Source.String()
		}
		for _, m := range mappings {
			if m.Source.IsGlob() || want[m.Destinations[0]] != m.Source.String() {
				t.Errorf("%s goes to %s, want %s", m.Source, m.Destinations[0], want[m.Destinations[0]])
			}
		}
	}
}

// Whatever a catalog names, no two images get one name, and their order does
// not matter.
func FuzzNames(f *testing.F) {
	f.Add(apicast+" quay.io/a/b-c:v1 quay.io/a-b/c:v1", "m.io/x", uint8(2))
	f.Add("quay.io/a/b:v1@"+etcd+" docker.io/a/b:v1 busybox", "file://local/index", uint8(0))
	f.Add("m.io/x/a:v1 a a:latest", "s3://host/region/bucket", uint8(3))
	f.Fuzz(func(t *testing.T, text, dest string, limit uint8) {
		d, err := ref.Parse(dest)
		if err != nil {
			return
		}
		n := catalog.Naming{Index: ref.MustParse(rhIndex), Dest: d, Max: int(limit)}
		refs := strings.Fields(text)
		names, err := n.Names(images(refs...))
		if err != nil {
			return
		}
		seen := map[ref.Ref]bool{}
		for _, name := range names.All() {
			if key := name.Destination.Canonical(); seen[key] {
				t.Errorf("%s is the name of two images", key)
			} else {
				seen[key] = true
			}
			if again, err := ref.Parse(name.Destination.String()); err != nil || again != name.Destination {
				t.Errorf("%s is read as %s, %v", name.Destination, again, err)
			}
		}
		slices.Reverse(refs)
		if again, err := n.Names(images(refs...)); err != nil || !slices.Equal(again.MappingText(), names.MappingText()) {
			t.Errorf("in another order:\n%s\nwant\n%s", again.MappingText(), names.MappingText())
		}
	})
}
