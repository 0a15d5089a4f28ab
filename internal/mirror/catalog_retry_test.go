package mirror

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
)

// retried is a report of two images, a signature and one without a name, and its
// list, as a run leaves them.
func retried(t *testing.T) (list string, report *CatalogOutcome) {
	t.Helper()
	report = &CatalogOutcome{Index: "a.example/index:v1", Images: 9, Why: "the disk was full", Hint: "make room", Command: "airbridge image mirror -f ...", Replay: true}
	for _, name := range []string{"one:v1", "two:v1", "denied:v1", "signed:sha256-11.sig"} {
		report.Missing = append(report.Missing, MissingImage{Image: "a.example/" + name, Source: "a.example/" + name, Destination: "b.example/" + name, Why: "before", NotTried: true})
	}
	report.Missing[3].AttachedTo = "a.example/signed:v1"
	list = filepath.Join(t.TempDir(), filepath.FromSlash(RetryFile))
	if err := os.Mkdir(filepath.Dir(list), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &CatalogRetry{Report: report, dir: filepath.Dir(list)}
	if err := r.Write(report); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, report.Retry(), 0o644); err != nil {
		t.Fatal(err)
	}
	return list, report
}

// resultOf is what a copy came to: the images that are there now, and the
// signature of one that is not.
func resultOf(t *testing.T, list []imagelist.Mapping, done, unsigned string) *Result {
	t.Helper()
	result := &Result{Plan: &plan.Plan{}, Report: &engine.Report{}}
	for i, m := range list {
		item := plan.Item{Ref: m.Source.Ref, Root: oci.FromBytes([]byte{byte(i)}), Targets: []plan.Target{{Place: plan.Place{Registry: "b.example", Repo: "x"}, Tags: []string{"t"}}}}
		result.Plan.Items = append(result.Plan.Items, item)
		if strings.Contains(done, m.Source.Ref.Path) {
			result.Report.Done = append(result.Report.Done, &result.Plan.Items[i])
		}
		if m.Source.Ref.Path == "denied" && !strings.Contains(done, "denied") {
			result.Report.Failures = append(result.Report.Failures, engine.Failure{Item: &result.Plan.Items[i], Err: errors.New("denied")})
		}
		if m.Source.Ref.Path == unsigned {
			signature := item
			signature.Ref.Tag, signature.Subject = "sha256-22.sig", item.Root
			result.Report.Failures = append(result.Report.Failures, engine.Failure{Item: &signature, Err: errors.New("denied")})
		}
	}
	return result
}

func mappingsOf(t *testing.T, list string) []imagelist.Mapping {
	t.Helper()
	body, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	mappings, err := imagelist.ParseFile(list, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return mappings
}

// A report has what is still missing, and what the try has found missing besides.
func TestRetryOfACatalog(t *testing.T) {
	list, _ := retried(t)
	r := FindRetry(list, "")
	if r == nil {
		t.Fatal("the report is not found")
	}
	mappings := mappingsOf(t, list)
	after := r.After(mappings, resultOf(t, mappings, "one signed", "one"), ErrSome)
	if err := r.Write(after); err != nil {
		t.Fatal(err)
	}
	again := FindRetry(list, "")
	if again == nil {
		t.Fatal("the new report is not found")
	}
	o := again.Report
	if len(o.Missing) != 3 || o.Missing[0].Why != "before" || !o.Missing[0].NotTried || o.Why != "" || o.Command == "" || o.Complete {
		t.Errorf("%+v", o)
	}
	if m := o.Missing[1]; m.NotTried || m.Why != "denied" {
		t.Errorf("what failed now: %+v", m)
	}
	if m := o.Missing[2]; m.AttachedTo != "a.example/one:v1" || m.Why != "denied" {
		t.Errorf("the signature that failed: %+v", m)
	}
	mappings = mappingsOf(t, list)
	if len(mappings) != 3 {
		t.Fatalf("%d mappings for another try", len(mappings))
	}
	if err := again.Write(again.After(mappings, resultOf(t, mappings, "one two denied", ""), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(list)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("all came through, and the directory is still there: %v", err)
	}
}

// A run that is killed between report and list leaves a list that is longer; the
// next one does not take it for the user's.
func TestRetryAfterAKill(t *testing.T) {
	list, report := retried(t)
	report.Missing = report.Missing[:1]
	r := &CatalogRetry{Report: report, dir: filepath.Dir(list), list: []byte("something else")}
	if err := r.Write(report); err != nil {
		t.Fatal(err)
	}
	mappings := mappingsOf(t, list)
	if len(mappings) != 4 {
		t.Fatalf("%d mappings", len(mappings))
	}
	r = FindRetry(list, "")
	if r == nil {
		t.Fatal("the report is not found")
	}
	if err := r.Write(r.After(mappings, resultOf(t, mappings, "one two denied signed", ""), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Error("the report is still there")
	}
}

// Reports that another command makes true are not touched, nor is what is no
// report at all.
func TestRetryOfOthers(t *testing.T) {
	for name, change := range map[string]func(*CatalogOutcome){
		"a part of a catalog": func(o *CatalogOutcome) { o.Replay = false },
		"another directory":   func(o *CatalogOutcome) { o.Directory = filepath.Join(t.TempDir(), "other") },
		"another list":        func(o *CatalogOutcome) { o.Missing[0].Destination = "c.example/one:v1" },
	} {
		list, report := retried(t)
		change(report)
		r := &CatalogRetry{Report: report, dir: filepath.Dir(list), list: []byte("something else")}
		if err := r.Write(report); err != nil {
			t.Fatal(err)
		}
		if FindRetry(list, t.TempDir()) != nil {
			t.Errorf("%s: taken for one that is tried again", name)
		}
	}
	list, _ := retried(t)
	for _, content := range []string{"null", "{", ""} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(list), "report.json"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if FindRetry(list, "") != nil {
			t.Errorf("%q is taken for a report", content)
		}
	}
}
