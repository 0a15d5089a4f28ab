package mirror

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// A list that lacks one of its images at the source is told with its reason,
// though it was copied, and is there as far as it can be.
func TestOutcomeOfASparseList(t *testing.T) {
	w, run := catalogRun(t, sample.CatalogSpec{Packages: 1, Bundles: 1})
	children := []*sample.Image{image(50, sample.AMD64), image(60, sample.ARM64)}
	w.push(indexAt, sample.NewIndex(sample.OCI, children...))
	lost := children[1].Desc.Digest
	lose(w, ref.MustParse("src.test/catalogs/index@"+lost.String()))
	for _, dryRun := range []bool{true, false} {
		result, err := Copy(t.Context(), w.regs, run.Wishes(), CopyOptions{Plan: PlanOptions{SkipMissing: true}, DryRun: dryRun}, w.observer())
		if err != nil {
			t.Fatal(err)
		}
		o := run.Copied(result, err)
		if len(o.Missing) != 1 || !o.Complete || len(o.Retry()) > 0 {
			t.Fatalf("dry run %v: %+v", dryRun, o)
		}
		m := o.Missing[0]
		if want := "of the list, " + lost.String() + ": the source does not have it"; m.Image != indexAt || !m.Gone || m.NotTried || m.Why != want {
			t.Errorf("dry run %v: %+v", dryRun, m)
		}
	}
}

// What is attached to an image is no image of the catalog, also where it has
// the name of one: that it is there says nothing of the image's own place.
func TestOutcomeIsNotOfWhatIsAttached(t *testing.T) {
	_, run := catalogRun(t, sample.CatalogSpec{Packages: 1, Bundles: 1})
	named := run.Wishes()[0].Source
	item := plan.Item{Ref: named, Subject: oci.FromBytes([]byte("subject"))}
	cut := errors.New("the disk is full")
	for name, result := range map[string]*Result{
		"before": {Plan: &plan.Plan{Items: []plan.Item{item}}},
		"copied": {Plan: &plan.Plan{}, Report: &engine.Report{Done: []*plan.Item{&item}}},
	} {
		o := run.Copied(result, cut)
		if len(o.Missing) != len(run.Wishes()) || o.Missing[0].Source != named.String() || !o.Missing[0].NotTried {
			t.Errorf("%s: %+v", name, o.Missing)
		}
	}
}

// An index image that is made in the run has no source that another command
// could copy it from.
func TestOutcomeOfAMadeIndex(t *testing.T) {
	w, run := catalogRun(t, sample.CatalogSpec{})
	run.Rebuilt, run.Reduced = rebuilt(t, w, "operator-001"), true
	o := run.Copied(nil, errors.New("the disk is full"))
	last := o.Missing[len(o.Missing)-1]
	if last.Source != "" || last.Image != indexAt || last.Destination == "" || o.Missing[0].Source == "" {
		t.Errorf("%+v", last)
	}
	if list := string(o.Retry()); strings.Contains(list, "catalogs/index") || strings.Count(list, "\n") != len(o.Missing)-1 {
		t.Errorf("the list for another try:\n%s", list)
	}
}

// An index image that is at its destination is not copied onto itself.
func TestIndexInPlaceIsNoWish(t *testing.T) {
	_, run := catalogRun(t, sample.CatalogSpec{})
	with := run.Wishes()
	run.Names.InPlace = true
	without := run.Wishes()
	if len(without) != len(with)-1 || slices.ContainsFunc(without, func(w Wish) bool { return w.Last }) {
		t.Errorf("%d wishes, and %d in place", len(with), len(without))
	}
	if o := run.Copied(nil, errors.New("the disk is full")); len(o.Missing) != len(without) {
		t.Errorf("%d are missing of %d", len(o.Missing), len(without))
	}
}

// What is in a list and is no image does not go along, and is told.
func TestRebuildLeavesWhatIsNoImage(t *testing.T) {
	chart := sample.Referrer(image(8, sample.AMD64), "a chart")
	chart.Desc.Platform = &sample.ARM64
	w, r, err := rebuiltWith(t, chart)
	if err != nil || len(r.Left) != 1 || r.Left[0].Digest != chart.Desc.Digest || r.Left[0].Why != "it is no image" {
		t.Fatalf("left %+v, %v", r, err)
	}
	_, err = Copy(t.Context(), w.regs, []Wish{r.Instead(wish(indexAt, "dst.test/reduced:v4.14"))}, CopyOptions{}, w.observer())
	if err != nil {
		t.Fatal(err)
	}
	if got := platformsAt(t, w, "reduced"); !slices.Equal(got, []string{"linux/amd64"}) {
		t.Errorf("the new list has %v", got)
	}
}

// databaseOf is a database that has nothing of a catalog.
func databaseOf(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rpm.sqlite")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("CREATE TABLE Packages (hnum INTEGER)")
	body, readErr := os.ReadFile(file)
	if err := errors.Join(err, db.Close(), readErr); err != nil {
		t.Fatal(err)
	}
	return body
}

// pushFiles pushes an index image without a label that has these files.
func pushFiles(t *testing.T, files ...sample.File) *world {
	t.Helper()
	w := newWorld(t)
	w.push(indexAt, sample.NewImage(sample.ImageSpec{Layers: []sample.Blob{sample.Files(files...)}}))
	return w
}

// Databases of others are no catalogs, wherever they lie; one that is damaged
// may be, and is told by its name.
func TestDatabasesOfOthers(t *testing.T) {
	foreign := databaseOf(t)
	documents := sample.File{Name: "configs/x/catalog.json", Body: []byte(`{"schema":"olm.package","name":"x","defaultChannel":"s"}`)}
	w := pushFiles(t, documents, sample.File{Name: "configs/x/rpm.sqlite", Body: foreign})
	if _, _, err := readIndex(w, IndexOptions{}, ""); !errors.Is(err, ErrNoCatalog) {
		t.Errorf("a database of others alone: %v", err)
	}
	w = pushFiles(t, documents, sample.File{Name: "configs/.indexignore", Body: []byte("rpm.sqlite\n")}, sample.File{Name: "configs/x/rpm.sqlite", Body: foreign})
	e, c, err := readIndex(w, IndexOptions{Path: "/configs"}, "")
	if err != nil || e.Form != CatalogFiles || len(c.Packages) != 1 {
		t.Errorf("one beside a catalog: %+v, %v", e, err)
	}
	w = pushFiles(t, sample.File{Name: "a/broken.db", Body: append(slices.Clone(foreign[:100]), make([]byte, 1000)...)})
	for _, o := range []IndexOptions{{}, {Path: "/a"}} {
		if _, _, err := readIndex(w, o, ""); err == nil || errors.Is(err, ErrNoCatalog) || !strings.Contains(err.Error(), "broken.db: ") {
			t.Errorf("one that is damaged, %+v: %v", o, err)
		}
	}
}

// Who ends the run while databases are looked at is not told that they are broken.
func TestCatalogIsSettledNoLongerThanTheRun(t *testing.T) {
	w, _, _ := indexWorld(t, sample.CatalogSpec{SQLite: true})
	e, _, err := readIndex(w, IndexOptions{}, "")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := e.settle(ended); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "index.db") {
		t.Error(err)
	}
}
