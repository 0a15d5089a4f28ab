package catalog_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// object is a property with a manifest of the bundle in it.
func object(manifest string) string {
	return fmt.Sprintf(`{"type":"olm.bundle.object","value":{"data":%q}}`, base64.StdEncoding.EncodeToString([]byte(manifest)))
}

// The name that people know an operator by is that of its ClusterServiceVersion, and of no
// other manifest; a catalog that lacks the bundle of a head is listed all the same.
func TestDisplayName(t *testing.T) {
	for name, c := range map[string]struct{ bundle, want string }{
		"none":      {"", ""},
		"metadata":  {`{"type":"olm.csv.metadata","value":{"displayName":"A"}}`, "A"},
		"object":    {object(`{"kind":"ClusterServiceVersion","spec":{"displayName":"A"}}`), "A"},
		"another":   {object(`{"kind":"ConsolePlugin","spec":{"displayName":"B"}}`) + "," + object(`{"kind":"ClusterServiceVersion","spec":{"displayName":"A"}}`), "A"},
		"no object": {`{"type":"olm.csv.metadata","value":7},{"type":"olm.bundle.object","value":{"data":"%"}}`, ""},
	} {
		text := `{"schema":"olm.package","name":"p","defaultChannel":"s"}{"schema":"olm.channel","package":"p","name":"s","entries":[{"name":"p.v1"}]}`
		if c.bundle != "" {
			text += `{"schema":"olm.bundle","package":"p","name":"p.v1","properties":[` + c.bundle + `]}`
		}
		list := clean(t, files("f", text)).List()
		if len(list) != 1 || list[0].DisplayName != c.want || list[0].Channels[0].Head != "p.v1" || len(list[0].Channels[0].Bundles) != 1 {
			t.Errorf("%s: %+v", name, list)
		}
	}
	var empty catalog.Catalog
	if list := empty.List(); list == nil || len(list) != 0 {
		t.Errorf("%v, which is null as JSON", list)
	}
}
