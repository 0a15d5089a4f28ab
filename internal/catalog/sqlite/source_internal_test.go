package sqlite

import (
	"strings"
	"testing"
)

// The library takes what stands between two slashes and the third for a host.
func TestSource(t *testing.T) {
	for path, want := range map[string]string{
		"/tmp/a b/index.db":        "file:///tmp/a%20b/index.db?",
		"/tmp/50%/what?#/index.db": "file:///tmp/50%25/what%3F%23/index.db?",
		"C:/Users/x/index.db":      "file:///C:/Users/x/index.db?",
		"//server/share/index.db":  "file:////server/share/index.db?",
	} {
		if got := source(path); !strings.HasPrefix(got, want) || !strings.Contains(got, "mode=ro&immutable=1&_query_only=1&") {
			t.Errorf("%s: %s", path, got)
		}
	}
}
