package catalog_test

import (
	"slices"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Every image of the real community catalog gets a name of its own, in all
// flows, and the medium remembers it.
func TestNamesOfTheCommunityCatalog(t *testing.T) {
	c, _, err := catalog.Read(community(t), catalog.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := c.Images()
	for _, dest := range []string{"m.io:5000/olm-mirror", "m.io:5000", "file://local/index"} {
		n := naming("registry.redhat.io/redhat/community-operator-index:v4.14", dest, 2)
		names, err := n.Names(found)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[ref.Ref]ref.Ref{}
		for _, name := range names.All() {
			if other, taken := seen[name.Destination]; taken {
				t.Errorf("%s is the name of %s and %s", name.Destination, other, name.Original)
			}
			seen[name.Destination] = name.Original
		}
		t.Logf("%s: %d images, %d names, %d collisions, %d refused", dest, len(found), len(seen), len(names.Collisions), len(names.Refused))
		for _, c := range names.Collisions {
			t.Log(c)
		}
		for _, r := range names.Refused {
			t.Log(r.Image.Ref, r.Err)
		}
		if len(names.Images)+len(names.Refused) > len(found) || len(names.Images) < len(found)*99/100 {
			t.Errorf("of %d images %d have names and %d were refused", len(found), len(names.Images), len(names.Refused))
		}
		slices.Reverse(found)
		if again, err := n.Names(found); err != nil || string(again.MappingText()) != string(names.MappingText()) {
			t.Errorf("%s: in another order the names are others, %v", dest, err)
		}
		memory := names.Remember(oci.FromBytes([]byte("index")))
		if _, err := catalog.ParseMemory(memory.Encode()); dest == "file://local/index" && err != nil {
			t.Error(err)
		}
	}
}
