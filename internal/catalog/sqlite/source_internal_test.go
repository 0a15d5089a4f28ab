package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
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

// The rows are counted over all tables, and so are the bytes in them.
func TestManyRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"CREATE TABLE operatorbundle (name TEXT)", "CREATE TABLE related_image (image TEXT)", "INSERT INTO operatorbundle VALUES ('a'), ('b')"} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]reader{"rows": {rows: maxRows - 1}, "bytes": {bytes: maxBytes - 1}} {
		seen := 0
		err := with(t.Context(), file, func(r *reader) error {
			r.rows, r.bytes = start.rows, start.bytes
			return r.table(t.Context(), "operatorbundle", func([]string) { seen++ }, "name")
		})
		if !errors.Is(err, errLimit) || seen != 1 {
			t.Errorf("%s: %d rows, %v", name, seen, err)
		}
	}
}
