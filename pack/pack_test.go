package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/cli"
)

var sample = source{dir: "..", goTool: "go", version: "v1.2.3", commit: "0123abc", date: time.Unix(1_800_000_000, 0).UTC()}

// copySource makes what the build reads of the module, in another directory.
func copySource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"cmd", "internal", "docs"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "README.md", "ARCHITECTURE.md"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// One archive, built twice from two directories, is the same to the last byte.
func TestSameBytesFromAnotherDirectory(t *testing.T) {
	here := target{runtime.GOOS, runtime.GOARCH}
	var sums [2]string
	for i, dir := range []string{"..", copySource(t)} {
		s, out := sample, t.TempDir()
		s.dir = dir
		if err := s.release(t.Context(), out, []target{here}, io.Discard); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = string(text)
		checkSums(t, out, sums[i])
	}
	if sums[0] != sums[1] {
		t.Errorf("built here:\n%sand in another directory:\n%s", sums[0], sums[1])
	}
}

// checkSums does what sha256sum -c does.
func checkSums(t *testing.T, dir, sums string) {
	t.Helper()
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != sum {
			t.Errorf("%s: %s is written, %s is right", name, sum, got)
		}
	}
}

var entries = below("top", []entry{
	{name: "b/program", mode: 0o755, content: []byte("\x7fELF")},
	{name: "README.md", content: []byte("text\n")},
})

const listing = `drwxr-xr-x top/ 0
-rw-r--r-- top/README.md 5
drwxr-xr-x top/b/ 0
-rwxr-xr-x top/b/program 4
`

func TestTar(t *testing.T) {
	var b, list bytes.Buffer
	if err := writeTar(&b, entries, sample.date); err != nil {
		t.Fatal(err)
	}
	packed, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if packed.Name != "" || !packed.ModTime.IsZero() {
		t.Errorf("gzip header: name %q, time %v", packed.Name, packed.ModTime)
	}
	for archive := tar.NewReader(packed); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(sample.date) || h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.Gname != "root" {
			t.Errorf("%s: %v, %d:%d, %s:%s", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname, h.Gname)
		}
		fmt.Fprintf(&list, "%s %s %d\n", h.FileInfo().Mode(), h.Name, h.Size)
	}
	if list.String() != listing {
		t.Errorf("got\n%s", list.String())
	}
}

func TestZip(t *testing.T) {
	var b, list bytes.Buffer
	if err := writeZip(&b, entries, sample.date); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		if !f.Modified.Equal(sample.date) {
			t.Errorf("%s: %v", f.Name, f.Modified)
		}
		fmt.Fprintf(&list, "%s %s %d\n", f.Mode(), f.Name, f.UncompressedSize64)
	}
	if list.String() != listing {
		t.Errorf("got\n%s", list.String())
	}
}

func TestNoticesNameWhatIsLinked(t *testing.T) {
	text, err := sample.notices(t.Context(), target{"linux", "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/spf13/cobra v", "The Go standard library\n", "Redistribution and use"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(string(text), "testscript") || strings.Contains(string(text), "go-internal") {
		t.Error("it names what only tests use")
	}
}

// Each command that a user can see has a page, and what the pages say is safe
// for roff: no line of text begins with a request of its own.
func TestManPages(t *testing.T) {
	root := (&cli.App{Args: []string{"airbridge"}}).Command()
	pages := map[string]string{}
	for _, e := range manPages(root, &sample) {
		pages[e.name] = string(e.content)
	}
	page := pages["man/man1/airbridge-image-mirror.1"]
	for _, want := range []string{
		".TH \"AIRBRIDGE-IMAGE-MIRROR\" 1 \"2027-01-15\" \"airbridge v1.2.3\"",
		"airbridge\\-image\\-mirror \\- Copy images",
		"\\fB\\-a\\fR, \\fB\\-\\-registry\\-config\\fR=",
		"(default true)",
		".SH GLOBAL OPTIONS\n",
		"\n.EX\n# One image, to a second registry\nairbridge image mirror quay",
		"\\fB130\\fR\nInterrupted.",
		"\\fBairbridge\\-image\\fR(1)\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page:\n%s", want, page)
		}
	}
	if strings.Contains(page, "kubeconfig") {
		t.Error("a hidden flag shows")
	}
	if usage := "Usage: a flag"; strings.Contains(page, usage) || !strings.Contains(pages["man/man1/airbridge-serve.1"], usage) {
		t.Error("the exit codes of image mirror and serve are not their own")
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		".dot":        `\&.dot`,
		"a\n.b":       "a\n\\&.b",
		`C:\dir 'x'`:  `C:\edir \(aqx\(aq`,
		"--flag=`~^`": `\-\-flag=\(ga\(ti\(ha\(ga`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	p := &page{}
	p.prose("One\ntwo.\n\nThree:\n\n  code\n\n  more\n\nFour.")
	if want := "One\ntwo.\n.PP\nThree:\n.PP\n.EX\n  code\n\n  more\n\n.EE\n.PP\nFour.\n"; p.text.String() != want {
		t.Errorf("got %q", p.text.String())
	}
}

func TestArguments(t *testing.T) {
	good := []string{"-version", "v1", "-commit", "0123abc", "-date", "1"}
	for _, args := range [][]string{
		{},
		{"-version", "a/b", "-commit", "0123abc", "-date", "1"},
		{"-version", "v1", "-commit", "HEAD", "-date", "1"},
		{"-version", "v1", "-commit", "0123abc"},
		append(good, "linux"),
		append(good, "linux/"),
	} {
		err := run(context.Background(), append([]string{"-out", t.TempDir()}, args...), io.Discard)
		if err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if all, err := chosen(nil); err != nil || len(all) != 7 {
		t.Errorf("%v, %v", all, err)
	}
}
