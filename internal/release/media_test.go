package release_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// What real oc wrote to a disk is read, and gets the names that oc gave it.
func TestTargetsAreThoseOfRealOc(t *testing.T) {
	f, stdout := realMedia(t)
	p, err := release.Read(t.Context(), f, repo.ByTag("4.14.3-x86_64"), amd64)
	if err != nil {
		t.Fatal(err)
	}
	to, err := release.ParseTemplate("file://openshift/release")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := release.Targets(p, ref.MustParse("file://openshift/release:4.14.3-x86_64"), release.Naming{To: to})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range targets {
		got = append(got, fmt.Sprintf("%s %s", m.Source.Digest, m.Destinations[0]))
	}
	copied, _, _ := strings.Cut(stdout, "\n\n")
	want := strings.Split(copied, "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(f.read) != 2 {
		t.Errorf("%d blobs were opened, want the config and the top layer", len(f.read))
	}
}

// realMedia is the release directory of oc-media.tar.gz as a source, and what
// oc printed when it wrote it.
func realMedia(t *testing.T) (*fake, string) {
	t.Helper()
	file, err := os.Open(filepath.Join(testdata(t), "oc-media.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	f, stdout, links := newFake(), "", map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		dir, name := filepath.Split(h.Name)
		switch {
		case h.Name == "release.stdout":
			stdout = string(content)
		case dir == "release/v2/openshift/release/blobs/" && h.Typeflag == tar.TypeReg:
			f.blobs[oci.MustDigest(name)] = content
		case dir == "release/v2/openshift/release/manifests/" && h.Typeflag == tar.TypeSymlink:
			links[name] = h.Linkname
		}
	}
	for tag, digest := range links {
		body := f.blobs[oci.MustDigest(digest)]
		f.manifests[tag], f.manifests[digest] = body, body
	}
	return f, stdout
}
