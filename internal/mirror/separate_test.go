package mirror_test

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// wish is an image on its way; version is that of its release.
func wish(to, version string, last bool) mirror.Wish {
	return mirror.Wish{Mapping: plan.Mapping{Destinations: []ref.Ref{ref.MustParse(to)}, Last: last, Release: version}}
}

func TestShared(t *testing.T) {
	for name, c := range map[string]struct {
		wishes []mirror.Wish
		want   string
	}{
		"together":           {[]mirror.Wish{wish("r.x/a:1", "", true), wish("r.x/a:1-cli", "", false)}, "r.x/a"},
		"apart":              {[]mirror.Wish{wish("r.x/b:1", "", true), wish("r.x/a:1-cli", "", false)}, ""},
		"on a disk":          {[]mirror.Wish{wish("file://a:1", "", true), wish("file://a:1-cli", "", false)}, ""},
		"no release image":   {[]mirror.Wish{wish("r.x/a:1", "", false), wish("r.x/a:1-cli", "", false)}, ""},
		"with other images":  {[]mirror.Wish{wish("r.x/b:1", "1", true), wish("r.x/a:1-cli", "1", false), wish("r.x/b:app", "", false)}, ""},
		"one release of two": {[]mirror.Wish{wish("r.x/b:1", "1", true), wish("r.x/a:1-cli", "1", false), wish("r.x/c:2", "2", true), wish("r.x/c:2-cli", "2", false)}, "r.x/c"},
		"beside another's":   {[]mirror.Wish{wish("r.x/b:1", "1", true), wish("r.x/a:1-cli", "1", false), wish("r.x/c:2", "2", true), wish("r.x/b:2-cli", "2", false)}, "r.x/b"},
	} {
		at, ok := mirror.Shared(c.wishes)
		if ok != (c.want != "") || ok && at.String() != c.want {
			t.Errorf("%s: %s, %v", name, at, ok)
		}
	}
}
