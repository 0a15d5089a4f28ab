package sample

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// databaseTables are those of the databases of index images, as far as they
// matter (operator-registry, after all its migrations).
const databaseTables = `
CREATE TABLE operatorbundle (name TEXT PRIMARY KEY, csv TEXT, bundle TEXT, bundlepath TEXT, skiprange TEXT, version TEXT, replaces TEXT, skips TEXT, substitutesfor TEXT);
CREATE TABLE package (name TEXT PRIMARY KEY, default_channel TEXT);
CREATE TABLE channel (name TEXT, package_name TEXT, head_operatorbundle_name TEXT, PRIMARY KEY(name, package_name));
CREATE TABLE channel_entry (entry_id INTEGER PRIMARY KEY, channel_name TEXT, package_name TEXT, operatorbundle_name TEXT, replaces INTEGER, depth INTEGER);
CREATE TABLE related_image (image TEXT, operatorbundle_name TEXT);
CREATE TABLE properties (type TEXT, value TEXT, operatorbundle_name TEXT, operatorbundle_version TEXT, operatorbundle_path TEXT);
CREATE TABLE dependencies (type TEXT, value TEXT, operatorbundle_name TEXT, operatorbundle_version TEXT, operatorbundle_path TEXT);
`

// database writes bundles as the database of an index image. It has no other
// way to tell of a fault than to panic, as all of this package.
func database(bundles []catalogBundle) []byte {
	dir, err := os.MkdirTemp("", "sample")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "index.db")
	if err := writeDatabase(file, bundles); err != nil {
		panic(fmt.Sprintf("writing a generated database: %v", err))
	}
	body, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return body
}

func writeDatabase(file string, bundles []catalogBundle) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	w := &databaseWriter{db: db}
	w.exec("PRAGMA journal_mode=OFF")
	w.exec("BEGIN")
	w.exec(databaseTables)
	for i, b := range bundles {
		w.bundle(b, i+1 == len(bundles) || bundles[i+1].pkg != b.pkg)
	}
	w.exec("COMMIT")
	return w.err
}

// databaseWriter executes statements until one fails.
type databaseWriter struct {
	db    *sql.DB
	err   error
	entry int // the id of the last row of channel_entry
}

func (w *databaseWriter) exec(statement string, args ...any) {
	if w.err == nil {
		_, w.err = w.db.Exec(statement, args...)
	}
}

// bundle writes a bundle; with the last one of a package, the package too.
func (w *databaseWriter) bundle(b catalogBundle, last bool) {
	csv := fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"description":"A sample operator.","icon":[{"base64data":"eA==","mediatype":"image/png"}]}}`, b.name)
	w.exec("INSERT INTO operatorbundle VALUES (?, ?, NULL, ?, '', ?, ?, '', '')", b.name, csv, b.image, b.version, b.replaces)
	for _, image := range append([]string{b.image}, b.related...) {
		w.exec("INSERT INTO related_image VALUES (?, ?)", image, b.name)
	}
	w.exec("INSERT INTO properties VALUES ('olm.package', ?, ?, ?, ?)",
		fmt.Sprintf(`{"packageName":%q,"version":%q}`, b.pkg, b.version), b.name, b.version, b.image)
	w.exec("INSERT INTO properties VALUES ('olm.gvk', ?, ?, ?, ?)",
		fmt.Sprintf(`{"group":"%s.example.com","kind":"Sample","version":"v1"}`, b.pkg), b.name, b.version, b.image)
	w.entry++
	var replaces any
	if b.replaces != "" {
		replaces = w.entry - 1
	}
	w.exec("INSERT INTO channel_entry VALUES (?, 'stable', ?, ?, ?, ?)", w.entry, b.pkg, b.name, replaces, 1000-w.entry)
	if !last {
		return
	}
	w.exec("INSERT INTO package VALUES (?, 'stable')", b.pkg)
	w.exec("INSERT INTO channel VALUES ('stable', ?, ?)", b.pkg, b.name)
	if b.replaces != "" {
		w.exec("INSERT INTO channel VALUES ('candidate', ?, ?)", b.pkg, b.name)
		w.exec("INSERT INTO channel_entry VALUES (?, 'candidate', ?, ?, NULL, 0)", 1_000_000+w.entry, b.pkg, b.name)
	}
}
