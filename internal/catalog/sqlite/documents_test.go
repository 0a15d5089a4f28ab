package sqlite_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/catalog/sqlite"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

const older, newer = "operator-000.v1.0.0", "operator-000.v1.1.0"

func bundleOf(t *testing.T, c *catalog.Catalog, name string) catalog.Bundle {
	t.Helper()
	for _, b := range c.Bundles {
		if b.Name == name {
			return b
		}
	}
	t.Fatalf("no bundle %s", name)
	return catalog.Bundle{}
}

func stable(t *testing.T, c *catalog.Catalog) []catalog.Entry {
	t.Helper()
	for _, ch := range c.Channels {
		if ch.Name == "stable" && ch.Package == "operator-000" {
			return ch.Entries
		}
	}
	t.Fatal("no channel stable")
	return nil
}

// Databases have a row for each way that leads to a bundle, and may have one bundle
// in two packages.
func TestRowsOfOneBundle(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 2, Bundles: 2})
	change(t, file, "INSERT INTO channel_entry VALUES (70, 'stable', 'operator-000', '"+older+"', NULL, 2000)",
		"INSERT INTO channel_entry VALUES (71, 'stable', 'operator-001', '"+older+"', NULL, 2000)")
	c := read(t, file)
	if diff := cmp.Diff([]catalog.Entry{{Name: newer, Replaces: older}, {Name: older}}, stable(t, c)); diff != "" {
		t.Error(diff)
	}
	if b := bundleOf(t, c, older); b.Package != "operator-000" {
		t.Error(b.Package)
	}
}

// The row of a bundle leads to what it skips where it replaces nothing.
func TestSkippedIsNotReplaced(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 1, Bundles: 2})
	change(t, file, "UPDATE operatorbundle SET skips = 'a.v1', replaces = '' WHERE name = '"+newer+"'",
		"INSERT INTO channel_entry VALUES (50, 'stable', 'operator-000', 'a.v1', NULL, 3)",
		"UPDATE channel_entry SET replaces = 50 WHERE operatorbundle_name = '"+newer+"'")
	if e := stable(t, read(t, file))[0]; e.Name != newer || e.Replaces != "" {
		t.Errorf("%+v", e)
	}
}

func TestBundleWithoutVersionAndImagesNamedTwice(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 1, Bundles: 2})
	change(t, file, "DELETE FROM properties WHERE type = 'olm.package'", "UPDATE operatorbundle SET version = '' WHERE name = '"+newer+"'",
		"INSERT INTO related_image SELECT bundlepath, name FROM operatorbundle")
	b := bundleOf(t, read(t, file), newer)
	for _, p := range b.Properties {
		if p.Type == catalog.PropertyPackage {
			t.Errorf("%s", p.Value)
		}
	}
	if n := strings.Count(string(b.Raw), b.Image); n != 2 || b.Image == "" { // its own, and as the first of the related ones
		t.Errorf("%d times %s in %s", n, b.Image, b.Raw)
	}
}

func TestPropertyWithoutType(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 1, Bundles: 2})
	change(t, file, "UPDATE properties SET type = '' WHERE operatorbundle_name = '"+newer+"'")
	if _, problems, err := sqlite.Read(t.Context(), file); err != nil || len(problems) != 1 || !strings.Contains(problems[0].Error(), `the property "" has no valid value`) {
		t.Error(problems, err)
	}
}

// What makes the library work hard before the first row is refused: tables with a name
// that counts but another content, and wide ones.
func TestHostileTables(t *testing.T) {
	for name, c := range map[string]struct{ statement, text string }{
		"virtual": {"CREATE VIRTUAL TABLE related_image USING fts5(operatorbundle_name, image)", "it has no table related_image"},
		"wide":    {"CREATE TABLE related_image (operatorbundle_name TEXT, image TEXT" + columns(300) + ")", "too many columns"},
		"long":    {"CREATE TABLE related_image (operatorbundle_name TEXT, image TEXT DEFAULT '" + strings.Repeat("x", 2<<20) + "')", "too big"},
	} {
		file, _ := write(t, sample.CatalogSpec{Packages: 1})
		change(t, file, "DROP TABLE related_image", c.statement)
		if _, _, err := sqlite.Read(t.Context(), file); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func columns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", c%d TEXT", i)
	}
	return b.String()
}
