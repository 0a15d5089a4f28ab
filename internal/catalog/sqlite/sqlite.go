// Package sqlite reads catalogs that are SQLite databases, the form of operator
// indexes before OpenShift 4.11 (oc.md 15.2), into the values of package
// catalog. It is a package of its own because the library is large.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	driver "modernc.org/sqlite"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// ErrNoCatalog is the error of a file that is no database, or not of a catalog.
var ErrNoCatalog = errors.New("not the database of a catalog")

// errLimit is what a database gets that is made to exhaust us.
var errLimit = errors.New("limit exceeded")

// The limits of a database.
const (
	maxRows  = 5_000_000
	maxBytes = 1 << 30  // of values read
	maxValue = 64 << 20 // bytes in one value
)

// Magic begins every SQLite database.
const Magic = "SQLite format 3\x00"

// Read reads the database of a catalog. The file is not changed, nothing is
// written beside it, and it must not be changed by others meanwhile. What is
// missing in databases of old versions is left empty. Bundles of which something
// cannot be read are told in problems and left out; the caller decides whether
// that will do. The error matches ErrNoCatalog for a file that is something else.
func Read(ctx context.Context, path string) (c *catalog.Catalog, problems []catalog.Problem, err error) {
	err = with(ctx, path, func(r *reader) error {
		data, err := r.data(ctx)
		if err != nil {
			return err
		}
		c, err = data.catalog()
		problems = data.problems
		return err
	})
	for i := range problems {
		problems[i].File = filepath.Base(path)
	}
	return c, problems, err
}

// Check returns nil for a file that is the database of a catalog, as far as its
// tables tell. The error is as Read's.
func Check(ctx context.Context, path string) error {
	return with(ctx, path, func(*reader) error { return nil })
}

// with opens a database and looks at its tables.
func with(ctx context.Context, path string, use func(*reader) error) error {
	if err := checkMagic(path); err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", source(filepath.ToSlash(abs)))
	if err != nil {
		return fmt.Errorf("opening database: %w", err)
	}
	defer db.Close()
	r := &reader{}
	if r.conn, err = db.Conn(ctx); err != nil {
		return broken(err)
	}
	defer r.conn.Close()
	if err := r.open(ctx); err != nil {
		return err
	}
	return use(r)
}

// source is how the library is told of a file, given by its absolute path with
// slashes. On Windows that begins with the letter of the drive, which would be taken for
// a host without a slash before it.
func source(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	// immutable: no locks, no journal, no look at other files.
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&immutable=1&_query_only=1&" +
		"_pragma=trusted_schema(0)&_pragma=cell_size_check(1)&_pragma=temp_store(2)&_pragma=mmap_size(0)"}
	return u.String()
}

// checkMagic spares the library what is no database.
func checkMagic(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(Magic))
	if n, _ := f.Read(head); string(head[:n]) != Magic {
		return fmt.Errorf("%s: %w", filepath.Base(path), ErrNoCatalog)
	}
	return nil
}

// broken says that the library could not make sense of the file.
func broken(err error) error {
	if _, ok := errors.AsType[*driver.Error](err); ok {
		return fmt.Errorf("reading database: %w", err)
	}
	return err
}

// The limits of the library that are lowered (sqlite3_limit).
const (
	limitLength = 0 // bytes in a value
	limitSQL    = 1 // bytes in a statement, also of the schema
	limitColumn = 2
)

type reader struct {
	conn   *sql.Conn
	tables map[string][]string // the columns of each table
	rows   int
	bytes  int
}

// open sets the limits and looks whether the tables of a catalog are there.
func (r *reader) open(ctx context.Context) error {
	for id, value := range map[int]int{limitLength: maxValue, limitSQL: 1 << 20, limitColumn: 200} {
		if _, err := driver.Limit(r.conn, id, value); err != nil {
			return fmt.Errorf("limiting the database: %w", err)
		}
	}
	if err := r.schema(ctx); err != nil {
		return err
	}
	for _, table := range []string{"operatorbundle", "related_image"} {
		if r.tables[table] == nil {
			return fmt.Errorf("it has no table %s: %w", table, ErrNoCatalog)
		}
	}
	return nil
}

// schema learns which tables there are. Views and virtual tables can do
// anything when they are read, so they count as not there.
func (r *reader) schema(ctx context.Context) error {
	r.tables = map[string][]string{}
	var names []string
	err := r.query(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'create virtual%'", 1, func(row []string) {
		names = append(names, row[0])
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		// Hidden and generated columns are left out.
		err := r.query(ctx, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", 1, func(row []string) {
			r.tables[name] = append(r.tables[name], row[0])
		}, name)
		if err != nil {
			return err
		}
	}
	return nil
}

// query shows the rows of a statement. NULL is "".
func (r *reader) query(ctx context.Context, statement string, columns int, visit func(row []string), args ...any) error {
	rows, err := r.conn.QueryContext(ctx, statement, args...)
	if err != nil {
		return broken(err)
	}
	defer rows.Close()
	values, targets := make([]sql.NullString, columns), make([]any, columns)
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return broken(err)
		}
		row := make([]string, columns)
		for i, v := range values {
			row[i] = v.String
			r.bytes += len(v.String)
		}
		if r.rows++; r.rows > maxRows || r.bytes > maxBytes {
			return fmt.Errorf("%w: the database has too many rows, or too large ones", errLimit)
		}
		visit(row)
	}
	return broken(rows.Err())
}

// table shows the rows of a table in the order of the columns given. A column
// that this version of the table does not have is "".
func (r *reader) table(ctx context.Context, name string, visit func(row []string), columns ...string) error {
	have := r.tables[name]
	if have == nil {
		return nil
	}
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "''"
		if slices.Contains(have, c) {
			list[i] = `"` + c + `"`
		}
	}
	return r.query(ctx, "SELECT "+strings.Join(list, ", ")+` FROM "`+name+`"`, len(columns), visit)
}
