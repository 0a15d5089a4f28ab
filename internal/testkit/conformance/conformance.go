// Package conformance runs the distribution specification's own conformance
// suite, pinned in tools/go.mod, against a server of a test.
package conformance

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Content is what a registry that takes no pushes holds, all in Repo.
type Content struct {
	Repo      string
	Tags      []string
	Manifests []string // digests
	Blobs     []string // digests
	Referrers []string // digests of subjects
}

// Everything runs the whole suite against h, with every optional part on:
// sparse indexes, sha512, cancelled uploads, tags as parameters, digest
// headers. Any check that does not pass fails the test. settings of the suite
// (NAME=VALUE) are for a registry that by design does not do a part.
func Everything(t *testing.T, h http.Handler, settings ...string) {
	t.Helper()
	run(t, h, append([]string{
		"OCI_VERSION=dev",
		"OCI_DATA_SPARSE=true",
		"OCI_DATA_SHA512=true",
		"OCI_API_BLOBS_UPLOAD_CANCEL=true",
		"OCI_API_MANIFESTS_TAG_PARAM=true",
	}, settings...)...)
}

// ReadOnly runs the reading part of the suite against h, which holds content.
// It does not ask for digest headers: the suite looks for them only in answers
// whose body it knows beforehand.
func ReadOnly(t *testing.T, h http.Handler, content Content) {
	t.Helper()
	run(t, h,
		"OCI_VERSION=1.1",
		"OCI_API_PUSH=false",
		"OCI_API_BLOBS_DELETE=false",
		"OCI_API_MANIFESTS_DELETE=false",
		"OCI_API_TAGS_DELETE=false",
		"OCI_REPO1="+content.Repo,
		"OCI_RO_DATA_TAGS="+strings.Join(content.Tags, " "),
		"OCI_RO_DATA_MANIFESTS="+strings.Join(content.Manifests, " "),
		"OCI_RO_DATA_BLOBS="+strings.Join(content.Blobs, " "),
		"OCI_RO_DATA_REFERRERS="+strings.Join(content.Referrers, " "),
	)
}

// counts are the suite's own, from the end of its report.
type counts struct{ pass, fail, errors, skip, disabled int }

// run judges by the report and not by the exit status: after a read-only run
// the pinned suite panics when it comes to write its result files.
func run(t *testing.T, h http.Handler, env ...string) {
	t.Helper()
	suite := tool(t)
	srv := httptest.NewServer(h)
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), suite)
	cmd.Dir = t.TempDir() // the suite reads a configuration file from where it runs
	cmd.Env = append(foreign(os.Environ()), "OCI_REGISTRY="+srv.Listener.Addr().String(), "OCI_TLS=disabled", "OCI_RESULTS_DIR="+cmd.Dir)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	c, found := readCounts(out)
	if !found {
		t.Fatalf("conformance: no report: %v\n%s", err, out)
	}
	t.Logf("conformance: %d checks pass, %d fail, %d errors, %d skipped, %d disabled", c.pass, c.fail, c.errors, c.skip, c.disabled)
	if c.fail+c.errors+c.skip > 0 || c.pass == 0 {
		t.Fatalf("conformance: %v\n%s", err, failures(out))
	}
}

// resultLine is one of the lines under the report's result: "  Pass....:  12".
var resultLine = regexp.MustCompile(`^  (Pass|FAIL|Error|Skip|Disabled)\.+: +(\d+)$`)

func readCounts(out []byte) (c counts, found bool) {
	fields := map[string]*int{"Pass": &c.pass, "FAIL": &c.fail, "Error": &c.errors, "Skip": &c.skip, "Disabled": &c.disabled}
	for line := range bytes.Lines(out) {
		m := resultLine.FindSubmatch(bytes.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(string(m[2]))
		if err != nil {
			return c, false
		}
		*fields[string(m[1])] = n
		found = true
	}
	return c, found
}

// foreign drops settings of the suite that the environment may have.
func foreign(env []string) []string {
	kept := []string{}
	for _, e := range env {
		if !strings.HasPrefix(e, "OCI_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// failures picks what went wrong out of the suite's report.
func failures(out []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(out) {
		if !bytes.HasSuffix(line, []byte(": Pass\n")) {
			b.Write(line)
		}
	}
	return b.String()
}

// tool builds the suite and returns the path of its binary. Where that cannot
// be done, without its sources on a machine without network, the test is
// skipped, but not in CI.
func tool(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "-n", "conformance")
	cmd.Dir = moduleRoot(t)
	out, err := cmd.Output()
	if err == nil {
		return strings.TrimSpace(string(out))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		out = exit.Stderr
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("building the conformance suite: %v\n%s", err, out)
	}
	t.Skipf("the conformance suite cannot be built here: %v\n%s", err, out)
	return ""
}

// moduleRoot is the directory above that has tools/go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatalf("no tools/go.mod above the test: %v", err)
	return ""
}
