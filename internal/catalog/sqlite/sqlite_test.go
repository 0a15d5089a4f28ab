package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/catalog/sqlite"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// write puts the database of a sample catalog into a file.
func write(t testing.TB, spec sample.CatalogSpec) (string, *sample.Catalog) {
	t.Helper()
	spec.SQLite = true
	c := sample.New(1).Catalog(spec)
	file := filepath.Join(t.TempDir(), "a b?#%.db")
	if err := os.WriteFile(file, c.Files[0].Body, 0o400); err != nil {
		t.Fatal(err)
	}
	return file, c
}

// change runs statements on a database.
func change(t *testing.T, file string, statements ...string) {
	t.Helper()
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(filepath.Dir(file), "plain.db")
	if err := os.Rename(file, plain); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(s, err)
		}
	}
	if err := errors.Join(db.Close(), os.Rename(plain, file)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) *catalog.Catalog {
	t.Helper()
	c, problems, err := sqlite.Read(t.Context(), file)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return c
}

// A database says the same as the files of the same catalog.
func TestSameAsFiles(t *testing.T) {
	file, made := write(t, sample.CatalogSpec{})
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, file)
	root := os.DirFS(writeFiles(t, sample.New(1).Catalog(sample.CatalogSpec{}).Files))
	want, problems, err := catalog.Read(root, catalog.ReadOptions{})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if diff := cmp.Diff(refs(want), refs(c)); diff != "" || len(refs(c)) != len(made.Images) {
		t.Error(diff)
	}
	if len(c.Packages) != 3 || c.Packages[0].DefaultChannel != "stable" || !strings.Contains(string(c.Packages[0].Raw), `"icon":{"base64data":"eA=="`) {
		t.Errorf("%s", c.Packages[0].Raw)
	}
	entries := map[string][]catalog.Entry{}
	for _, ch := range c.Channels {
		entries[ch.Package+"/"+ch.Name] = ch.Entries
	}
	for _, ch := range want.Channels {
		got := entries[ch.Package+"/"+ch.Name]
		slices.Reverse(got) // heads are first in a database
		if diff := cmp.Diff(ch.Entries, got); diff != "" {
			t.Error(ch.Name, diff)
		}
	}
	if b := c.Bundles[1]; b.Version != "1.1.0" || b.Package != "operator-000" || len(b.Properties) != 2 || b.Image == "" {
		t.Errorf("%+v", b)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("the database was changed")
	}
	if names, _ := os.ReadDir(filepath.Dir(file)); len(names) != 1 {
		t.Error("something was written beside it")
	}
}

func writeFiles(t *testing.T, files []sample.File) string {
	dir := t.TempDir()
	for _, f := range files {
		name := filepath.Join(dir, f.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, f.Body, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func refs(c *catalog.Catalog) (out []string) {
	for _, image := range c.Images() {
		out = append(out, image.Ref)
	}
	slices.Sort(out)
	return out
}

// What old databases keep elsewhere, or do not have.
func TestOldDatabases(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 1, Bundles: 2})
	change(t, file, "DROP TABLE properties", "ALTER TABLE operatorbundle DROP COLUMN skips",
		`INSERT INTO dependencies VALUES ('olm.package', '{"packageName":"other","version":">1.0"}', 'operator-000.v1.1.0', '', '')`,
		"CREATE TABLE api_provider (group_name TEXT, version TEXT, kind TEXT, operatorbundle_name TEXT)",
		"INSERT INTO api_provider VALUES ('g', 'v1', 'K', 'operator-000.v1.1.0')",
		"INSERT INTO related_image VALUES ('quay.io/lost:1', 'nobody'), ('', 'nobody')",
		"INSERT INTO operatorbundle (name, bundle) VALUES ('inline.v1', '{\"kind\":\"A\"}{\"kind\":\"B\"}')",
	)
	c := read(t, file)
	var got []string
	for _, p := range c.Bundles[1].Properties {
		got = append(got, p.Type+" "+string(p.Value))
	}
	want := []string{
		`olm.package {"packageName":"operator-000","version":"1.1.0"}`, `olm.gvk {"group":"g","kind":"K","version":"v1"}`,
		`olm.package.required {"packageName":"other","versionRange":">1.0"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if inline := c.Bundles[2]; inline.Name != "inline.v1" || len(inline.Properties) != 2 || inline.Properties[0].Type != "olm.bundle.object" {
		t.Errorf("%+v", inline)
	}
	if !slices.Contains(refs(c), "quay.io/lost:1") || len(c.Others) != 1 {
		t.Error("an image without a bundle is lost")
	}
	for _, m := range c.Documents() {
		if !json.Valid(m.Raw) {
			t.Errorf("%s", m.Raw)
		}
	}
}

// What bundles skip has rows of its own, without a bundle.
func TestSkips(t *testing.T) {
	file, _ := write(t, sample.CatalogSpec{Packages: 1, Bundles: 2})
	change(t, file, "UPDATE operatorbundle SET skips = 'a.v1, a.v2,', skiprange = '<1.1.0', replaces = '' WHERE name = 'operator-000.v1.1.0'",
		"INSERT INTO channel_entry VALUES (50, 'stable', 'operator-000', 'a.v1', NULL, 3)")
	want := []catalog.Entry{
		{Name: "operator-000.v1.1.0", Replaces: "operator-000.v1.0.0", Skips: []string{"a.v1", "a.v2"}, SkipRange: "<1.1.0"},
		{Name: "operator-000.v1.0.0"},
	}
	for _, ch := range read(t, file).Channels {
		if ch.Name == "stable" {
			if diff := cmp.Diff(want, ch.Entries); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestHostile(t *testing.T) {
	endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT 'x' AS image, 'y' AS operatorbundle_name FROM n"
	for name, c := range map[string]struct {
		statements []string
		text       string
	}{
		"view":      {[]string{"DROP TABLE related_image", "CREATE VIEW related_image AS " + endless}, "it has no table related_image"},
		"generated": {[]string{"DROP TABLE related_image", "CREATE TABLE related_image (operatorbundle_name TEXT, image TEXT AS (hex(zeroblob(200000000))))", "INSERT INTO related_image VALUES ('x')"}, ""},
		"large":     {[]string{"UPDATE operatorbundle SET csv = zeroblob(70000000)"}, "too big"},
		"empty":     {[]string{"DROP TABLE operatorbundle"}, "it has no table operatorbundle"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := write(t, sample.CatalogSpec{Packages: 1})
			change(t, file, c.statements...)
			_, _, err := sqlite.Read(t.Context(), file)
			if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
				t.Error(err)
			}
		})
	}
}

// A bundle that cannot be read is told with its package, and left out.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ statement, text string }{
		"property":   {"UPDATE properties SET value = '{' WHERE operatorbundle_name = 'operator-000.v1.1.0'", `the property "olm.gvk" has no valid value`},
		"objects":    {"UPDATE operatorbundle SET bundlepath = '', bundle = '{' WHERE name = 'operator-000.v1.1.0'", "its manifests cannot be read: unexpected EOF"},
		"dependency": {"INSERT INTO dependencies VALUES ('olm.package', 'x', 'operator-000.v1.1.0', '', '')", "a dependency cannot be read: "},
	} {
		file, _ := write(t, sample.CatalogSpec{Packages: 2, Bundles: 2})
		change(t, file, c.statement)
		got, problems, err := sqlite.Read(t.Context(), file)
		if err != nil || len(problems) != 1 || len(got.Bundles) != 3 || len(got.Packages) != 2 {
			t.Errorf("%s: %v, %v, %d bundles", name, err, problems, len(got.Bundles))
			continue
		}
		if want := filepath.Base(file) + " (package operator-000): bundle operator-000.v1.1.0: " + c.text; !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %s", name, problems[0], want)
		}
	}
}

func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{"empty": "", "text": "SQLite", "head": sqlite.Magic, "noise": sqlite.Magic + strings.Repeat("x", 5000)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := sqlite.Read(t.Context(), file); err == nil {
			t.Error(name, "was read")
		} else if len(body) < len(sqlite.Magic) && !errors.Is(err, sqlite.ErrNoCatalog) {
			t.Error(name, err)
		}
	}
	if _, _, err := sqlite.Read(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	file, _ := write(t, sample.CatalogSpec{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := sqlite.Read(ctx, file); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A database with wrong bytes anywhere is an error, or another catalog: it does
// not panic, and it ends.
func TestDamaged(t *testing.T) {
	_, c := write(t, sample.CatalogSpec{})
	rng := rand.New(rand.NewPCG(1, 2))
	file := filepath.Join(t.TempDir(), "db")
	failed := 0
	for range 300 {
		body := bytes.Clone(c.Files[0].Body)
		for range 1 + rng.IntN(20) {
			// Heads of pages have what the rest hangs on.
			at := rng.IntN(len(body)/4096)*4096 + rng.IntN(4096)%(1+rng.IntN(4096))
			body[at] = byte(rng.Uint32())
		}
		if rng.IntN(10) == 0 {
			body = body[:rng.IntN(len(body))]
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := sqlite.Read(t.Context(), file); err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no damage was seen")
	}
}

func FuzzRead(f *testing.F) {
	_, c := write(f, sample.CatalogSpec{Packages: 1, Bundles: 1, Related: 1})
	f.Add(c.Files[0].Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		file := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _ = sqlite.Read(t.Context(), file) // an error, or not: no panic
	})
}
