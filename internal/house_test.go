// Package internal_test checks the house: which package may import which,
// what the product depends on, and how big files and functions grow.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/airbridge-dev/airbridge/"

// levels has the packages from the bottom up. A package imports from lower
// levels only. A name stands for the packages below it as well.
var levels = [][]string{
	{"oci", "ref", "yamldoc", "installconfig", "jsonpath", "patch", "codesign", "archive", "spelling", "table"},
	{"repo"},
	{"store", "auth", "config"},
	{"plan", "image", "rootfs", "medium", "registry", "remote", "ocdir", "layout", "server"},
	{"engine", "cluster", "release", "signature", "graph", "catalog", "imagelist", "helm", "samples"},
	{"mirror", "ui"},
	{"cli"},
}

// sideways is the whole list of imports within one level.
var sideways = map[string][]string{
	"ref":           {"oci"},
	"installconfig": {"yamldoc"},
	"store":         {"store/cas", "store/fsys", "store/kv"},
	"store/cas":     {"store/fsys"},
	"store/kv":      {"store/fsys"},

	"catalog/sqlite": {"catalog"},
}

// budget is what the product may require directly. A new line needs a
// decision record (docs/design).
var budget = []string{
	"github.com/ProtonMail/go-crypto", // OpenPGP signatures of releases
	"github.com/blang/semver/v4",      // order of versions in update graphs
	"github.com/google/go-cmp",        // tests
	"github.com/klauspost/compress",   // zstd layers and snapshots
	"github.com/rogpeppe/go-internal", // tests: testscript
	"github.com/spf13/cobra",          // commands and flags
	"github.com/spf13/pflag",          // the type of cobra's flags
	"go.yaml.in/yaml/v3",              // where a field stands in install-config.yaml; catalogs; streams
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/term",
	"modernc.org/sqlite", // catalogs that are databases
	"sigs.k8s.io/yaml",
}

// testOnly are the requirements that must not be linked into the binary.
var testOnly = []string{"github.com/google/go-cmp", "github.com/rogpeppe/go-internal"}

// The limits of size, in lines. They are where a noun is missing for certain;
// the aim is half of it.
const (
	maxFile     = 500
	maxFunction = 100
)

type goPackage struct {
	ImportPath   string
	Doc          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Module       *struct{ Path string }
}

// goList runs go list on the module's packages.
func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Doc,GoFiles,Imports,TestImports,XTestImports,Module"}, args...)...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.Bytes())
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// house returns the name of a package within internal, and whether it is there.
func house(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"internal/")
}

// level returns the level of a package of the house, -1 if it has none.
func level(name string) int {
	for i, names := range levels {
		for _, n := range names {
			if name == n || strings.HasPrefix(name, n+"/") {
				return i
			}
		}
	}
	return -1
}

// isTestSupport reports whether a package exists for tests only: testkit, and
// the suites of the contracts, which are called after them (store/cas/castest).
func isTestSupport(name string) bool {
	dir, base := path.Split(name)
	return name == "testkit" || strings.HasPrefix(name, "testkit/") || base == path.Base(dir)+"test"
}

// mayUseTestkit says which programs outside the product generate samples.
func mayUseTestkit(importPath string) bool {
	name, inHouse := house(importPath)
	rest := strings.TrimPrefix(importPath, module)
	return inHouse && isTestSupport(name) ||
		rest == "bench" || strings.HasPrefix(rest, "bench/") || rest == "demo" || strings.HasPrefix(rest, "demo/")
}

// wrong says what is wrong with one import, "" if nothing is.
func wrong(from, to string) string {
	target, ok := house(to)
	if !ok {
		return ""
	}
	if isTestSupport(target) && !mayUseTestkit(from) {
		return "is for tests only"
	}
	name, ok := house(from)
	if !ok || isTestSupport(name) {
		return ""
	}
	here, there := level(name), level(target)
	switch {
	case here < 0:
		return "comes from a package without a level: give it one in house_test.go and ARCHITECTURE.md"
	case there > here:
		return "points up"
	case there == here && !slices.Contains(sideways[name], target):
		return "stays on its level and is not in the short list of those that may"
	}
	return ""
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, to := range p.Imports {
			if why := wrong(p.ImportPath, to); why != "" {
				t.Errorf("%s imports %s: that %s", p.ImportPath, to, why)
			}
		}
	}
}

func TestRuleFindsWrongImports(t *testing.T) {
	in := func(name string) string { return module + "internal/" + name }
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{in("repo"), in("oci"), true},
		{in("oci"), in("repo"), false},
		{in("ref"), in("oci"), true},
		{in("oci"), in("ref"), false},
		{in("store"), in("store/kv"), true},
		{in("store/kv"), in("store/cas"), false},
		{in("registry"), in("remote"), false},
		{in("mirror"), in("engine"), true},
		{in("engine"), in("mirror"), false},
		{in("ui"), in("mirror"), false},
		{in("unheard"), in("oci"), false},
		{in("engine"), in("testkit/sample"), false},
		{in("engine"), in("repo/repotest"), false},
		{in("testkit/flaky"), in("testkit/sample"), true},
		{in("repo/repotest"), in("registry"), true},
		{module + "cmd/airbridge", in("cli"), true},
		{module + "cmd/airbridge", in("testkit/peer"), false},
		{module + "bench", in("testkit/sample"), true},
		{module + "cmd/airbridge", "fmt", true},
	} {
		if why := wrong(c.from, c.to); (why == "") != c.allowed {
			t.Errorf("%s -> %s: %q", c.from, c.to, why)
		}
	}
}

func TestDependencyBudget(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, to := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			first, _, _ := strings.Cut(to, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(to, module) {
				continue // the standard library, or ours
			}
			if !slices.ContainsFunc(budget, func(m string) bool { return to == m || strings.HasPrefix(to, m+"/") }) {
				t.Errorf("%s imports %s, which is not in the budget", p.ImportPath, to)
			}
		}
	}
}

func TestBinaryLinksNoTestLibraries(t *testing.T) {
	if _, err := os.Stat("../cmd/airbridge"); err != nil {
		t.Skip("no command yet")
	}
	for _, p := range goList(t, "-deps", "./cmd/airbridge") {
		if p.ImportPath == "testing" || p.Module != nil && slices.Contains(testOnly, p.Module.Path) {
			t.Errorf("the binary links %s", p.ImportPath)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range goList(t, "./...") {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != ".." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		checkSize(t, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSize reports a file and functions that are too long. Tests may have
// long tables, so their functions are left alone.
func checkSize(t *testing.T, name string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if n := set.File(file.Pos()).LineCount(); n > maxFile {
		t.Errorf("%s has %d lines, the limit is %d", name, n, maxFile)
	}
	if strings.HasSuffix(name, "_test.go") {
		return
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunction {
			t.Errorf("%s: %s has %d lines, the limit is %d", name, f.Name.Name, n, maxFunction)
		}
	}
}
