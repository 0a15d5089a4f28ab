package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
)

// stream hides a body's length, so that it is sent in chunks without one.
func stream(body io.Reader) io.Reader { return struct{ io.Reader }{body} }

func TestManifestSize(t *testing.T) {
	r := newRig(t, nil, server.Options{MaxManifest: 4096})
	full := manifest(strings.Repeat("x", 4096-len(manifest(""))))
	r.push("a", "full", full)
	for name, body := range map[string]io.Reader{
		"declared": strings.NewReader(full + " "),
		"streamed": stream(strings.NewReader(full + " ")),
	} {
		t.Run(name, func(t *testing.T) {
			r.in(t).want(413, oci.ErrSizeInvalid, r.in(t).do("PUT", "/v2/a/manifests/over", body))
		})
	}
	r.want(404, "", r.do("GET", "/v2/a/manifests/over", nil))
}

func TestManifestRefusals(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	other := "sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		name, ref, body, mediaType string
		status                     int
		code                       oci.Code
	}{
		{"wrong digest", other, manifest("x"), "", 400, oci.ErrDigestInvalid},
		{"no digest", "sha256:zz", manifest("x"), "", 400, oci.ErrDigestInvalid},
		{"unknown algorithm", "md5:" + strings.Repeat("0", 32), manifest("x"), "", 400, oci.ErrDigestInvalid},
		{"no tag", "..", manifest("x"), "", 400, oci.ErrTagInvalid},
		{"no JSON", "v1", "hello", "", 400, oci.ErrManifestInvalid},
		{"other type inside", "v1", manifest("x"), oci.MediaTypeImageIndex, 400, oci.ErrManifestInvalid},
		{"parameter is no tag", "v1?tag=-", manifest("x"), "", 400, oci.ErrTagInvalid},
		{"too many parameters", "v1?" + strings.Repeat("tag=x&", 101), manifest("x"), "", 414, oci.ErrTagInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := r.in(t)
			r.want(tt.status, tt.code, r.do("PUT", "/v2/a/manifests/"+tt.ref, strings.NewReader(tt.body), "Content-Type", tt.mediaType))
		})
	}
	r.want(404, oci.ErrNameUnknown, r.do("GET", "/v2/a/tags/list", nil))
}

func TestTagParameters(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	body := manifest("x")
	d := oci.FromBytes([]byte(body))
	a := r.want(201, "", r.do("PUT", "/v2/a/manifests/"+d.String()+"?tag=one&tag=two", strings.NewReader(body)))
	if got := a.Header.Values("Oci-Tag"); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("OCI-Tag %q", got)
	}
	if got := a.Header.Get("Location"); got != "/v2/a/manifests/"+d.String() {
		t.Errorf("Location %q", got)
	}
	r.want(201, "", r.do("PUT", "/v2/a/manifests/three?tag=four", strings.NewReader(body)))
	for _, tag := range []string{"one", "two", "three", "four"} {
		a := r.want(200, "", r.do("HEAD", "/v2/a/manifests/"+tag, nil))
		if a.Header.Get("Docker-Content-Digest") != d.String() {
			t.Errorf("%s is %s", tag, a.Header.Get("Docker-Content-Digest"))
		}
	}
	r.want(202, "", r.do("DELETE", "/v2/a/manifests/one", nil))
	r.want(404, oci.ErrManifestUnknown, r.do("DELETE", "/v2/a/manifests/one", nil))
	r.want(200, "", r.do("GET", "/v2/a/manifests/"+d.String(), nil))
}

func TestSubjectHeader(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	subject := oci.FromBytes([]byte("x"))
	body := fmt.Sprintf(`{"schemaVersion":2,"subject":{"digest":%q,"size":1}}`, subject)
	a := r.want(201, "", r.do("PUT", "/v2/a/manifests/v1", strings.NewReader(body)))
	if got := a.Header.Get("Oci-Subject"); got != subject.String() {
		t.Errorf("OCI-Subject %q", got)
	}
}

func TestUploads(t *testing.T) {
	blob := noise(700000) // more than two buffers
	d := oci.FromBytes(blob)
	whole := func(r *rig) answer {
		return r.do("POST", "/v2/a/blobs/uploads/?digest="+d.String(), bytes.NewReader(blob))
	}
	put := func(r *rig) answer {
		return r.do("PUT", r.start("a")+"?digest="+d.String(), stream(bytes.NewReader(blob)))
	}
	chunks := func(r *rig) answer {
		place := r.start("a")
		for at := 0; at < len(blob); at += 300000 {
			end := min(at+300000, len(blob))
			a := r.want(202, "", r.do("PATCH", place, bytes.NewReader(blob[at:end]), "Content-Range", fmt.Sprintf("%d-%d", at, end-1)))
			if got := a.Header.Get("Range"); got != fmt.Sprintf("0-%d", end-1) {
				r.t.Errorf("Range %q at %d", got, end)
			}
			place = a.Header.Get("Location")
		}
		return r.do("PUT", place+"?digest="+d.String(), nil)
	}
	streamed := func(r *rig) answer {
		a := r.want(202, "", r.do("PATCH", r.start("a"), stream(bytes.NewReader(blob[:9]))))
		return r.do("PUT", a.Header.Get("Location")+"?digest="+d.String(), bytes.NewReader(blob[9:]), "Content-Range", "bytes 9-699999/*")
	}
	for name, push := range map[string]func(*rig) answer{"post": whole, "put": put, "chunks": chunks, "stream": streamed} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, server.Options{})
			a := r.want(201, "", push(r))
			if a.Header.Get("Location") != "/v2/a/blobs/"+d.String() || a.Header.Get("Docker-Content-Digest") != d.String() {
				t.Errorf("header %v", a.Header)
			}
			if a := r.want(200, "", r.do("GET", a.Header.Get("Location"), nil)); !bytes.Equal(a.body, blob) {
				t.Errorf("got %d other bytes", len(a.body))
			}
			if len(r.fake.sessions) != 0 {
				t.Errorf("sessions left: %v", r.fake.sessions)
			}
		})
	}
}

func TestMount(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	d := r.fake.addBlob("from", []byte("blob")).String()
	a := r.want(201, "", r.do("POST", "/v2/a/blobs/uploads/?mount="+d+"&from=from", nil))
	if a.Header.Get("Location") != "/v2/a/blobs/"+d {
		t.Errorf("Location %q", a.Header.Get("Location"))
	}
	r.want(201, "", r.do("POST", "/v2/b/blobs/uploads/?mount="+d, nil))
	unknown := "sha256:" + strings.Repeat("0", 64)
	for _, query := range []string{"mount=" + unknown + "&from=from", "mount=" + d + "&from=nowhere", "mount=" + unknown} {
		a := r.want(202, "", r.do("POST", "/v2/c/blobs/uploads/?"+query, nil))
		r.want(204, "", r.do("GET", a.Header.Get("Location"), nil))
	}
	r.want(400, oci.ErrDigestInvalid, r.do("POST", "/v2/a/blobs/uploads/?mount=x", nil))
	r.want(400, oci.ErrDigestInvalid, r.do("POST", "/v2/a/blobs/uploads/?digest=x", nil))
	r.want(400, oci.ErrDigestInvalid, r.do("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", nil))
	r.want(202, "", r.do("POST", "/v2/a/blobs/uploads/?digest-algorithm=sha512", nil))
}

// Without a length of the request, the body tells in the end: what the range
// covers is kept, and the rest refused.
func TestStreamedChunkOfAnotherLength(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	for contentRange, kept := range map[string]string{"0-2": "0-2", "0-8": "0-4"} {
		place := r.start("a")
		a := r.want(400, oci.ErrSizeInvalid, r.do("PATCH", place, stream(strings.NewReader("01234")), "Content-Range", contentRange))
		if got := a.Header.Get("Range"); got != kept {
			t.Errorf("%s: kept %q", contentRange, got)
		}
	}
	r.want(202, "", r.do("PATCH", r.start("a"), stream(strings.NewReader("01234")), "Content-Range", "0-4"))
}

// A chunk that does not fit changes nothing and says where to go on.
func TestChunksThatDoNotFit(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	place := r.start("a")
	r.want(202, "", r.do("PATCH", place, strings.NewReader("0123456789")))
	tests := []struct {
		name, contentRange, body string
		status                   int
		code                     oci.Code
	}{
		{"gap", "20-24", "01234", 416, oci.ErrRangeInvalid},
		{"again", "0-9", "0123456789", 416, oci.ErrRangeInvalid},
		{"no range", "x", "01234", 400, oci.ErrBlobUploadInvalid},
		{"backwards", "10-9", "", 400, oci.ErrBlobUploadInvalid},
		{"longer than the body", "10-19", "01234", 400, oci.ErrSizeInvalid},
		{"shorter than the body", "10-11", "01234", 400, oci.ErrSizeInvalid},
	}
	for _, tt := range tests {
		for _, method := range []string{"PATCH", "PUT"} {
			t.Run(tt.name+"/"+method, func(t *testing.T) {
				r := r.in(t)
				path := place
				if method == "PUT" {
					path += "?digest=" + oci.FromBytes(nil).String()
				}
				a := r.want(tt.status, tt.code, r.do(method, path, strings.NewReader(tt.body), "Content-Range", tt.contentRange))
				if a.Header.Get("Range") != "0-9" || a.Header.Get("Location") != place {
					t.Errorf("header %v", a.Header)
				}
			})
		}
	}
	d := oci.FromBytes([]byte("0123456789ab"))
	r.want(201, "", r.do("PUT", place+"?digest="+d.String(), strings.NewReader("ab"), "Content-Range", "10-11"))
}

func TestUploadSessions(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	place := r.start("a")
	if a := r.want(204, "", r.do("GET", place, nil)); a.Header.Get("Range") != "0-0" || a.Header.Get("Docker-Upload-Uuid") == "" {
		t.Errorf("header %v", a.Header)
	}
	r.want(404, oci.ErrBlobUploadUnknown, r.do("GET", strings.Replace(place, "/a/", "/b/", 1), nil))
	r.want(400, oci.ErrDigestInvalid, r.do("PUT", place, strings.NewReader("x")))
	r.want(204, "", r.do("DELETE", place, nil))
	for _, method := range []string{"GET", "PATCH", "DELETE", "PUT"} {
		r.want(404, oci.ErrBlobUploadUnknown, r.do(method, place+"?digest="+oci.FromBytes(nil).String(), nil))
	}
	place = r.start("a")
	r.want(400, oci.ErrDigestInvalid, r.do("PUT", place+"?digest="+oci.FromBytes(nil).String(), strings.NewReader("x")))
	r.want(400, oci.ErrDigestInvalid, r.do("POST", "/v2/a/blobs/uploads/?digest="+oci.FromBytes(nil).String(), strings.NewReader("x")))
	r.want(404, oci.ErrBlobUnknown, r.do("GET", "/v2/a/blobs/"+oci.FromBytes(nil).String(), nil))
	if len(r.fake.sessions) != 0 {
		t.Errorf("sessions left: %v", r.fake.sessions)
	}
}

// A store that fails keeps the session and says why only where it may.
func TestStoreFaults(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   oci.Code
		told   string
	}{
		{&repo.SpaceError{Path: "/secret/place", Need: 5, Free: 4}, 507, oci.ErrDenied, "full"},
		{errors.New("/secret/place: input/output error"), 500, oci.ErrUnknown, "internal error"},
		{oci.ErrDenied.With("quota of team x is used up"), 403, oci.ErrDenied, "quota of team x is used up"},
		{fmt.Errorf("writing: %w", oci.ErrTooManyRequests), 429, oci.ErrTooManyRequests, "too"},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			r := newRig(t, nil, server.Options{})
			place := r.start("a")
			r.fake.onWrite = func(int) error { return tt.err }
			a := r.want(tt.status, tt.code, r.do("PATCH", place, strings.NewReader("x")))
			if !strings.Contains(string(a.body), tt.told) || strings.Contains(string(a.body), "secret") {
				t.Errorf("told %s", a.body)
			}
			if (a.Header.Get("Retry-After") != "") != (tt.status == 429) {
				t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
			}
			if got := r.next("PATCH"); !errors.Is(got.Err, tt.err) {
				t.Errorf("access has error %v", got.Err)
			}
			r.fake.onWrite = nil
			r.want(202, "", r.do("PATCH", place, strings.NewReader("x")))
		})
	}
}

// writes is every way to change something.
var writes = []struct{ method, path string }{
	{"PUT", "/v2/a/manifests/v1"},
	{"DELETE", "/v2/a/manifests/v1"},
	{"DELETE", "/v2/a/blobs/sha256:" + strings.Repeat("0", 64)},
	{"POST", "/v2/a/blobs/uploads/"},
	{"PATCH", "/v2/a/blobs/uploads/x"},
	{"PUT", "/v2/a/blobs/uploads/x"},
	{"DELETE", "/v2/a/blobs/uploads/x"},
}

func TestReadOnly(t *testing.T) {
	r := newRig(t, nil, server.Options{ReadOnly: true})
	d := r.fake.addBlob("a", []byte("blob"))
	for _, w := range writes {
		a := r.want(405, oci.ErrUnsupported, r.do(w.method, w.path, strings.NewReader("{}")))
		if a.Header.Get("Allow") != "GET, HEAD" || !strings.Contains(string(a.body), "read-only") {
			t.Errorf("%s %s: %v %s", w.method, w.path, a.Header, a.body)
		}
	}
	r.want(200, "", r.do("GET", "/v2/a/blobs/"+d.String(), nil))
	if len(r.fake.sessions)+len(r.fake.repository("a").manifests) != 0 {
		t.Error("something was written")
	}
}

// withoutUploads is a registry of which only the contract's least is known.
type withoutUploads struct{ repo.Registry }

func (w withoutUploads) Repo(name string) (repo.Repo, error) {
	r, err := w.Registry.Repo(name)
	return struct{ repo.Repo }{r}, err
}

func TestRegistryWithoutUploads(t *testing.T) {
	r := newRig(t, withoutUploads{newFake()}, server.Options{})
	for _, w := range writes[3:] {
		r.want(405, oci.ErrUnsupported, r.do(w.method, w.path+"?digest="+oci.FromBytes(nil).String(), nil))
	}
	r.push("a", "v1", manifest("x"))
}

func TestMethodsAndAddresses(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	a := r.want(405, oci.ErrUnsupported, r.do("POST", "/v2/a/manifests/v1", nil))
	if got := a.Header.Values("Allow"); !slices.Equal(got, []string{"GET", "HEAD", "PUT", "DELETE"}) {
		t.Errorf("Allow %q", got)
	}
	tests := []struct {
		path   string
		status int
		code   oci.Code
	}{
		{"/", 404, oci.ErrNameUnknown},
		{"/v1/", 404, oci.ErrNameUnknown},
		{"/v2/a", 404, oci.ErrNameUnknown},
		{"/v2/a//b/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2//manifests/v1", 404, oci.ErrNameUnknown},
		{"//v2/", 404, oci.ErrNameUnknown},
		{"/v2/a/../b/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2/../../etc/passwd", 404, oci.ErrNameUnknown},
		{"/v2/%2e%2e/%2e%2e/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2/a%2fb/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2/A/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2/a%00b/manifests/v1", 400, oci.ErrNameInvalid},
		{"/v2/a/manifests/..", 400, oci.ErrTagInvalid},
		{"/v2/a/manifests/%2e%2e", 400, oci.ErrTagInvalid},
		{"/v2/a/blobs/..%2f..%2fx", 400, oci.ErrNameInvalid},
		{"/v2/a/blobs/sha256:..", 400, oci.ErrDigestInvalid},
		{"/v2/a/blobs/uploads/..", 404, oci.ErrBlobUploadUnknown},
		{"/v2/" + strings.Repeat("a/", 200) + "manifests/v1", 400, oci.ErrNameInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			r := r.in(t)
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.addr, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = "//" + r.addr + tt.path // as it is, without cleaning
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			r.want(tt.status, tt.code, answer{Response: resp, body: body, err: err})
		})
	}
}
