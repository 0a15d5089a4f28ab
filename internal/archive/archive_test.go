package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/archive"
)

var when = time.Date(2023, 10, 31, 9, 8, 7, 0, time.UTC)

// program is content that compresses to about a half.
func program(n int) []byte {
	b := make([]byte, n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.IntN(16))
	}
	return b
}

func client(body io.Reader, size int) archive.Archive {
	return archive.Archive{Readme: "# oc\n\nIt is good.\n", Name: "oc", Size: int64(size), Body: body, Modified: when}
}

// entry is what a test compares.
type entry struct {
	Name, Link string
	Mode       fs.FileMode
	Modified   string
	Content    []byte
}

func tarEntries(t *testing.T, r io.Reader) []entry {
	t.Helper()
	gz, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	if !gz.ModTime.IsZero() || gz.Name != "" { // a reader shows no time as zero
		t.Errorf("the gzip header has %+v", gz.Header)
	}
	var entries []entry
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s has an owner", h.Name)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{h.Name, h.Linkname, fs.FileMode(h.Mode), h.ModTime.UTC().String(), content})
	}
}

func zipEntries(t *testing.T, b []byte) []entry {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Method != zip.Deflate {
			t.Errorf("%s is not compressed", f.Name)
		}
		entries = append(entries, entry{f.Name, "", f.Mode(), f.Modified.UTC().String(), content})
	}
	return entries
}

func TestTarGz(t *testing.T) {
	body := program(300_000)
	a := client(bytes.NewReader(body), len(body))
	a.Links = []string{"kubectl"}
	var out bytes.Buffer
	if err := archive.TarGz(&out, a); err != nil {
		t.Fatal(err)
	}
	if out.Len() > len(body)*2/3 {
		t.Errorf("%d bytes became %d", len(body), out.Len())
	}
	want := []entry{
		{"README.md", "", 0o644, when.String(), []byte(a.Readme)},
		{"oc", "", 0o755, when.String(), body},
		{"kubectl", "oc", 0o755, when.String(), []byte{}},
	}
	if d := cmp.Diff(want, tarEntries(t, &out)); d != "" {
		t.Error(d)
	}
}

func TestZipHasLinesOfWindows(t *testing.T) {
	body := program(300_000)
	a := client(bytes.NewReader(body), len(body))
	a.Name = "oc.exe"
	var out bytes.Buffer
	if err := archive.Zip(&out, a); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"README.md", "", 0o644, when.String(), []byte("# oc\r\n\r\nIt is good.\r\n")},
		{"oc.exe", "", 0o755, when.String(), body},
	}
	if d := cmp.Diff(want, zipEntries(t, out.Bytes())); d != "" {
		t.Error(d)
	}
}

func TestArchiveWithoutReadme(t *testing.T) {
	a := archive.Archive{Name: "oc", Size: 3, Body: strings.NewReader("abc")}
	var out bytes.Buffer
	if err := archive.TarGz(&out, a); err != nil {
		t.Fatal(err)
	}
	if got := tarEntries(t, &out); len(got) != 1 || got[0].Name != "oc" {
		t.Errorf("tar: %v", got)
	}
	out.Reset()
	a.Body = strings.NewReader("abc")
	if err := archive.Zip(&out, a); err != nil {
		t.Fatal(err)
	}
	// A zip archive has no date before 1980.
	if got := zipEntries(t, out.Bytes()); len(got) != 1 || got[0].Modified != "1980-01-01 00:00:00 +0000 UTC" {
		t.Errorf("zip: %v", got)
	}
}

func TestSameInputMakesSameBytes(t *testing.T) {
	body := program(200_000)
	other := when.Add(999 * time.Millisecond).In(time.FixedZone("elsewhere", 7200))
	for name, write := range map[string]func(io.Writer, archive.Archive) error{"tar": archive.TarGz, "zip": archive.Zip} {
		var one, two bytes.Buffer
		a := client(bytes.NewReader(body), len(body))
		if err := write(&one, a); err != nil {
			t.Fatal(err)
		}
		a.Body, a.Modified = iotest.HalfReader(iotest.OneByteReader(bytes.NewReader(body))), other
		if err := write(&two, a); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("%s: the archives differ", name)
		}
	}
}

func TestBodyOfAnotherSizeIsRefused(t *testing.T) {
	for name, write := range map[string]func(io.Writer, archive.Archive) error{"tar": archive.TarGz, "zip": archive.Zip} {
		for size, want := range map[int]string{
			5: "archiving oc: it was to have 5 bytes, and has 3",
			2: "archiving oc: it was to have 2 bytes, and has more",
		} {
			err := write(io.Discard, client(strings.NewReader("abc"), size))
			if err == nil || err.Error() != want {
				t.Errorf("%s of %d: %v", name, size, err)
			}
		}
		broken := errors.New("broken")
		if err := write(io.Discard, client(iotest.ErrReader(broken), 3)); !errors.Is(err, broken) {
			t.Errorf("%s: an error in reading became %v", name, err)
		}
		if err := write(full{broken}, client(strings.NewReader("abc"), 3)); !errors.Is(err, broken) {
			t.Errorf("%s: an error in writing became %v", name, err)
		}
	}
	a := client(strings.NewReader("abc"), 3)
	a.Links = []string{"kubectl"}
	if err := archive.Zip(io.Discard, a); err == nil {
		t.Error("a zip archive took a link")
	}
}

// full is a disk without room.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestChecksums(t *testing.T) {
	sums := []archive.Sum{{Name: "out/b.zip", SHA256: [32]byte{1}}, {Name: "release.txt", SHA256: [32]byte{2}}, {Name: "z/a.tar.gz", SHA256: [32]byte{3}}}
	want := fmt.Sprintf("03%[1]s  a.tar.gz\n01%[1]s  b.zip\n02%[1]s  release.txt\n", strings.Repeat("0", 62))
	if got := string(archive.Checksums(sums)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if sums[0].Name != "out/b.zip" {
		t.Error("the list that was given has changed")
	}
}
