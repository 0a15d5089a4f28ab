package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/server"
)

func TestRanges(t *testing.T) {
	const size = 1 << 20 // more than is kept in memory, more than one piece
	blob := noise(size)
	files := newFake()
	files.files = t.TempDir()
	for name, reg := range map[string]*fake{"memory": newFake(), "file": files} {
		r := newRig(t, reg, server.Options{})
		d := reg.addBlob("a/b", blob)
		etag := `"` + d.String() + `"`
		tests := []struct {
			name, rng, ifRange string
			from, to           int // to 0 is an answer without content
			status             int
		}{
			{"none", "", "", 0, size, 200},
			{"first byte", "bytes=0-0", "", 0, 1, 206},
			{"middle", "bytes=500-1499", "", 500, 1500, 206},
			{"to the end", "bytes=700000-", "", 700000, size, 206},
			{"last byte", fmt.Sprintf("bytes=%d-", size-1), "", size - 1, size, 206},
			{"past the end", "bytes=700000-99999999", "", 700000, size, 206},
			{"suffix", "bytes=-500", "", size - 500, size, 206},
			{"suffix longer than all", "bytes=-99999999", "", 0, size, 206},
			{"from the end", fmt.Sprintf("bytes=%d-", size), "", 0, 0, 416},
			{"beyond", "bytes=5000000-6000000", "", 0, 0, 416},
			{"backwards", "bytes=500-0", "", 0, 0, 416},
			{"suffix of nothing", "bytes=-0", "", 0, 0, 416},
			{"several", "bytes=0-1,5-6", "", 0, size, 200},
			{"other unit", "lines=0-1", "", 0, size, 200},
			{"no numbers", "bytes=a-b", "", 0, size, 200},
			{"signs", "bytes=+1-+5", "", 0, size, 200},
			{"same content", "bytes=10-19", etag, 10, 20, 206},
			{"other content", "bytes=10-19", `"sha256:0"`, 0, size, 200},
			{"weak", "bytes=10-19", "W/" + etag, 0, size, 200},
			{"date", "bytes=10-19", "Wed, 21 Oct 2015 07:28:00 GMT", 0, size, 200},
		}
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				r := r.in(t)
				a := r.do("GET", "/v2/a/b/blobs/"+d.String(), nil, "Range", tt.rng, "If-Range", tt.ifRange)
				if tt.to == 0 {
					r.want(tt.status, oci.ErrRangeInvalid, a)
					if got := a.Header.Get("Content-Range"); got != fmt.Sprintf("bytes */%d", size) {
						t.Errorf("Content-Range %q", got)
					}
					return
				}
				r.want(tt.status, "", a)
				if a.err != nil || !bytes.Equal(a.body, blob[tt.from:tt.to]) {
					t.Errorf("got %d bytes (%v), want %d to %d", len(a.body), a.err, tt.from, tt.to)
				}
				want := fmt.Sprintf("bytes %d-%d/%d", tt.from, tt.to-1, size)
				if got := a.Header.Get("Content-Range"); tt.status == 206 && got != want {
					t.Errorf("Content-Range %q, want %q", got, want)
				}
				if a.Header.Get("Etag") != etag || a.Header.Get("Docker-Content-Digest") != d.String() ||
					a.Header.Get("Accept-Ranges") != "bytes" || a.ContentLength != int64(tt.to-tt.from) {
					t.Errorf("header %v", a.Header)
				}
			})
		}
	}
}

func TestSmallBlobs(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	for _, size := range []int{0, 1, 4096, 32 << 10, 32<<10 + 1} {
		blob := noise(size)
		path := "/v2/a/blobs/" + r.fake.addBlob("a", blob).String()
		for range 3 { // from the store, then from memory
			a := r.want(200, "", r.do("GET", path, nil))
			if !bytes.Equal(a.body, blob) || a.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%d bytes became %d, %v", size, len(a.body), a.Header)
			}
		}
		head := r.want(200, "", r.do("HEAD", path, nil))
		if head.ContentLength != int64(size) || len(head.body) != 0 {
			t.Errorf("HEAD of %d bytes: %v", size, head.Header)
		}
		r.want(304, "", r.do("GET", path, nil, "If-None-Match", head.Header.Get("Etag")))
		r.want(304, "", r.do("HEAD", path, nil, "If-None-Match", `"x", `+head.Header.Get("Etag")))
		r.want(304, "", r.do("GET", path, nil, "If-None-Match", "*"))
		r.want(200, "", r.do("GET", path, nil, "If-None-Match", `"x"`))
		r.want(202, "", r.do("DELETE", path, nil))
		r.want(404, oci.ErrBlobUnknown, r.do("GET", path, nil))
		r.want(404, oci.ErrBlobUnknown, r.do("HEAD", path, nil))
		r.want(404, oci.ErrBlobUnknown, r.do("DELETE", path, nil))
	}
}

// What rots on the disk is never kept in memory nor answered with 200.
func TestRottenSmallBlob(t *testing.T) {
	reg := newFake()
	reg.files = t.TempDir()
	r := newRig(t, reg, server.Options{})
	d := reg.addBlob("a", []byte("content"))
	file := filepath.Join(reg.files, d.Hex())
	if err := os.WriteFile(file, []byte("c0ntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := r.want(500, oci.ErrUnknown, r.do("GET", "/v2/a/blobs/"+d.String(), nil))
	if !strings.Contains(string(a.body), d.String()) {
		t.Errorf("the answer does not name the content: %s", a.body)
	}
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(200, "", r.do("GET", "/v2/a/blobs/"+d.String(), nil))
}

// A blob that turns out shorter than promised is never taken for whole.
func TestTruncatedBlobIsCutOff(t *testing.T) {
	reg := newFake()
	reg.files = t.TempDir()
	r := newRig(t, reg, server.Options{})
	d := reg.addBlob("a", noise(1<<20))
	if err := os.Truncate(filepath.Join(reg.files, d.Hex()), 600000); err != nil {
		t.Fatal(err)
	}
	a := r.do("GET", "/v2/a/blobs/"+d.String(), nil)
	if !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("read %d bytes, error %v", len(a.body), a.err)
	}
	if got := r.next("GET"); got.Err == nil || got.Sent != 600000 {
		t.Errorf("access %+v", got)
	}
}

func TestManifestReads(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	body := manifest("one")
	d := r.push("a/b", "v1", body)
	for _, ref := range []string{"v1", d.String(), strings.Replace(d.String(), ":", "%3A", 1)} {
		path := "/v2/a/b/manifests/" + ref
		for _, method := range []string{"HEAD", "GET", "HEAD", "GET"} { // before and after it is in memory
			a := r.want(200, "", r.do(method, path, nil))
			want := http.Header{
				"Content-Type": {oci.MediaTypeImageManifest}, "Content-Length": {strconv.Itoa(len(body))},
				"Docker-Content-Digest": {d.String()}, "Etag": {`"` + d.String() + `"`},
			}
			for k := range want {
				if a.Header.Get(k) != want.Get(k) {
					t.Errorf("%s %s: %s is %q, want %q", method, ref, k, a.Header.Get(k), want.Get(k))
				}
			}
			if method == "GET" && string(a.body) != body {
				t.Errorf("got %q", a.body)
			}
			r.want(304, "", r.do(method, path, nil, "If-None-Match", `"`+d.String()+`"`))
		}
	}
	r.want(404, oci.ErrManifestUnknown, r.do("GET", "/v2/a/b/manifests/v2", nil))
	r.want(404, oci.ErrManifestUnknown, r.do("HEAD", "/v2/a/b/manifests/v2", nil))
	r.want(404, oci.ErrManifestUnknown, r.do("GET", "/v2/other/manifests/"+d.String(), nil))
	r.want(400, oci.ErrDigestInvalid, r.do("GET", "/v2/a/b/manifests/sha256:00", nil))
	r.want(400, oci.ErrTagInvalid, r.do("GET", "/v2/a/b/manifests/-x", nil))
}

// Memory never answers for what the repository no longer holds, holds
// otherwise, or what another one holds.
func TestMemoryIsNoAuthority(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	one, two := manifest("one"), manifest("two")
	d := r.push("a", "v1", one)
	r.want(200, "", r.do("GET", "/v2/a/manifests/v1", nil))
	r.push("a", "v1", two)
	if a := r.want(200, "", r.do("GET", "/v2/a/manifests/v1", nil)); string(a.body) != two {
		t.Errorf("a moved tag gives %q", a.body)
	}
	r.want(404, "", r.do("GET", "/v2/b/manifests/"+d.String(), nil))
	r.want(404, "", r.do("GET", "/v2/a/blobs/"+d.String(), nil))
	r.fake.addBlob("a", []byte(one))
	if a := r.want(200, "", r.do("GET", "/v2/a/blobs/"+d.String(), nil)); a.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("as a blob it has type %q", a.Header.Get("Content-Type"))
	}
	r.want(202, "", r.do("DELETE", "/v2/a/manifests/"+d.String(), nil))
	r.want(404, "", r.do("GET", "/v2/a/manifests/"+d.String(), nil))
}

func TestPing(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	for _, path := range []string{"/v2/", "/v2"} {
		a := r.want(200, "", r.do("GET", path, nil))
		if a.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" || string(a.body) != "{}" {
			t.Errorf("%s: %v %q", path, a.Header, a.body)
		}
	}
}
