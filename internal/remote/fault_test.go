package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// Every fault on the way in is got over, and the bytes are those that were
// pushed; going on where it broke, not from the start.
func TestDownloadFaults(t *testing.T) {
	content, desc := randomBlob(3, 900_000)
	fast := func(o *remote.Options) { o.Stall = 2 * time.Second } // a busy machine stands still for less
	for name, test := range map[string]struct {
		faults []flaky.Fault
		ranges []string // of the requests for the blob
		change func(*remote.Options)
	}{
		"reset at once":   {faults: blobFault(flaky.Reset(0)), ranges: []string{"", ""}},
		"reset mid body":  {faults: blobFault(flaky.Reset(300_000)), ranges: nil},
		"truncated":       {faults: blobFault(flaky.Truncate(300_000)), ranges: []string{"", "bytes=300000-"}},
		"truncated often": {faults: often(blobFault(flaky.Truncate(100_000)), 8)},
		"stalled":         {faults: blobFault(flaky.Stall(300_000)), ranges: []string{"", "bytes=300000-"}, change: fast},
		"stalled at once": {faults: blobFault(flaky.Stall(0)), ranges: []string{"", ""}, change: fast},
		"500":             {faults: often(blobFault(flaky.Status(500)), 3)},
		"502":             {faults: blobFault(flaky.Answer(502, "text/html", "<html>bad gateway</html>"))},
		"503":             {faults: blobFault(flaky.Status(503))},
		"408":             {faults: blobFault(flaky.Status(408))},
		"429":             {faults: often(blobFault(flaky.Status(429, "Retry-After", "7")), 2)},
		"no ranges": {
			faults: append(blobFault(flaky.Truncate(300_000)), blobFault(flaky.NoRange())...),
			ranges: []string{"", "bytes=300000-"},
		},
		"a reset ping": {faults: []flaky.Fault{{Path: "/v2/", Times: 1, Do: flaky.Reset(0)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.change == nil {
				test.change = func(*remote.Options) {}
			}
			r := newRig(t, flaky.Options{Faults: test.faults}, test.change)
			r.preload(t, "a", content)
			got, err := readBlob(t, mustRepo(t, r.registry, "a"), desc.Digest, 0)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("read %d bytes of %d, error %v", len(got), len(content), err)
			}
			if r.Script.Hits() == 0 {
				t.Error("the fault never happened")
			}
			// On a slow machine more may stall than was told to.
			if ranges := r.ranges(); !slices.Equal(ranges[:min(len(test.ranges), len(ranges))], test.ranges) {
				t.Errorf("ranges asked for: %q, want %q", ranges, test.ranges)
			}
		})
	}
}

func blobFault(do flaky.Action) []flaky.Fault {
	return []flaky.Fault{{Method: http.MethodGet, Path: "/blobs/", Do: do}}
}

func often(faults []flaky.Fault, times int) []flaky.Fault {
	faults[0].Times = times
	return faults
}

func (r *rig) ranges() []string {
	var out []string
	for _, q := range r.Requests() {
		if strings.Contains(q.Path, "/blobs/") && q.Method == http.MethodGet {
			out = append(out, q.Range)
		}
	}
	return out
}

// A fault that does not pass ends in an error that names the request, after a
// bounded number of tries.
func TestLastingFaults(t *testing.T) {
	content, desc := randomBlob(3, 200_000)
	for name, do := range map[string]flaky.Action{
		"500": flaky.Status(500), "429": flaky.Status(429, "Retry-After", "1"), "reset": flaky.Reset(0), "truncated": flaky.Truncate(0),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, flaky.Options{Faults: often(blobFault(do), -1)})
			r.preload(t, "a", content)
			_, err := readBlob(t, mustRepo(t, r.registry, "a"), desc.Digest, 0)
			if err == nil || !strings.Contains(err.Error(), "/v2/a/blobs/"+desc.Digest.String()) {
				t.Errorf("error %v, want one that names the blob's URL", err)
			}
			want := 6
			if name == "429" {
				want = 10
			}
			if n := r.Count(http.MethodGet, "/blobs/"); n != want {
				t.Errorf("%d tries, want %d", n, want)
			}
		})
	}
}

// Wrong bytes are nobody's to mend here: a manifest is refused, a blob fails
// whoever hashes it, and an upload of it does not complete.
func TestWrongBytes(t *testing.T) {
	content, desc := randomBlob(3, 900_000)
	r := newRig(t, flaky.Options{Faults: []flaky.Fault{
		{Method: http.MethodGet, Path: "/blobs/", Times: -1, Do: flaky.Corrupt(500_000)},
		{Method: http.MethodGet, Path: "/manifests/", Times: -1, Do: flaky.Corrupt(20)},
	}})
	r.preload(t, "a", content, "v1")
	source := mustRepo(t, r.registry, "a")
	for _, target := range []repo.Target{repo.ByTag("v1")} {
		_, _, err := source.Manifest(t.Context(), target)
		if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
			t.Errorf("Manifest(%s) = %v, want a CorruptError", target, err)
		}
	}
	good := newRig(t, flaky.Options{})
	sink := mustRepo(t, good.registry, "b")
	_, err := sink.PutBlob(t.Context(), desc, blobOpener(source, desc.Digest), "")
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Errorf("PutBlob = %v, want a CorruptError", err)
	}
	if missing, err := sink.Missing(t.Context(), []oci.Descriptor{desc}); err != nil || len(missing) != 1 {
		t.Errorf("Missing = %v, %v: a wrong blob was accepted", missing, err)
	}
}

// A manifest that is wrong once was wrong on the way.
func TestWrongManifestOnce(t *testing.T) {
	r := newRig(t, flaky.Options{Faults: []flaky.Fault{{Method: http.MethodGet, Path: "/manifests/", Do: flaky.Corrupt(20)}}})
	r.preload(t, "a", nil, "v1")
	if _, _, err := mustRepo(t, r.registry, "a").Manifest(t.Context(), repo.ByTag("v1")); err != nil {
		t.Error(err)
	}
}

func blobOpener(source repo.Source, d oci.Digest) repo.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) { return source.OpenBlob(ctx, d, offset) }
}

// Every fault on the way out is got over. bytes says how many bytes of bodies
// may be sent at most: large uploads go on where they broke.
func TestUploadFaults(t *testing.T) {
	content, desc := randomBlob(4, 3<<20)
	fast := func(o *remote.Options) { o.Stall = 2 * time.Second } // a busy machine stands still for less
	size := int64(len(content))
	for name, test := range map[string]struct {
		faults []flaky.Fault
		quirks []flaky.Quirk
		bytes  int64
		change func(*remote.Options)
	}{
		"start reset":    {faults: onUpload("POST", flaky.Reset(0)), bytes: 2 * size}, // the PUT may be under way when it comes
		"start 503":      {faults: onUpload("POST", flaky.Status(503)), bytes: size},
		"start lost":     {faults: onUpload("POST", flaky.Then()), bytes: size},
		"put broken":     {faults: onUpload("PUT", flaky.BreakUpload(2<<20)), bytes: 2 * size},
		"put stalled":    {faults: onUpload("PUT", flaky.StallUpload(1<<20)), change: fast},
		"held a while":   {faults: append(onUpload("PUT", flaky.BreakUpload(2<<20)), heldUpload(3)...), bytes: 4 << 20},
		"held for good":  {faults: append(onUpload("PUT", flaky.BreakUpload(2<<20)), heldUpload(-1)...), bytes: 2 * size},
		"put 500":        {faults: onUpload("PUT", flaky.Status(500))},
		"put 429":        {faults: onUpload("PUT", flaky.Status(429, "Retry-After", "3"))},
		"answer lost":    {faults: onUpload("PUT", flaky.Then()), bytes: size},
		"413":            {quirks: []flaky.Quirk{flaky.MaxBody(1 << 20)}},
		"413 and broken": {quirks: []flaky.Quirk{flaky.MaxBody(1 << 20)}, faults: onUpload("PATCH", flaky.BreakUpload(300_000))},
		"413 and lost":   {quirks: []flaky.Quirk{flaky.MaxBody(1 << 20)}, faults: onUpload("PATCH", flaky.Then())},
		"patch only":     {quirks: flaky.Artifactory()},
		"patch 502":      {quirks: flaky.Artifactory(), faults: onUpload("PATCH", flaky.Status(502))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.change == nil {
				test.change = func(*remote.Options) {}
			}
			r := newRig(t, flaky.Options{Faults: test.faults, Quirks: test.quirks}, test.change)
			p := mustRepo(t, r.registry, "a")
			outcome, err := p.PutBlob(t.Context(), desc, opener(content), "")
			if err != nil || outcome != repo.Sent {
				t.Fatalf("PutBlob = %v, %v", outcome, err)
			}
			got, err := readBlob(t, mustRepo(t, r.Registry, "a"), desc.Digest, 0)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%d bytes arrived, error %v", len(got), err)
			}
			if len(test.faults) > 0 && r.Script.Hits() == 0 {
				t.Error("the fault never happened")
			}
			if sent := r.client.Hosts()[0].Sent; test.bytes > 0 && sent > test.bytes {
				t.Errorf("%d bytes were sent, want at most %d", sent, test.bytes)
			}
		})
	}
}

func onUpload(method string, do flaky.Action) []flaky.Fault {
	return []flaky.Fault{{Method: method, Path: "/blobs/uploads/", Do: do}}
}

// heldUpload lets the registry find a request that broke still at its upload.
func heldUpload(times int) []flaky.Fault {
	answer := flaky.Answer(http.StatusBadRequest, "application/json", `{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"the upload is in use by another request"}]}`)
	return []flaky.Fault{{Method: http.MethodGet, Path: "/blobs/uploads/", Times: times, Do: answer}}
}

// Retry-After holds for the whole host, in seconds and as a date.
func TestRetryAfter(t *testing.T) {
	for name, value := range map[string]string{"seconds": "40", "date": "Fri, 02 Jan 2026 03:04:45 GMT"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, flaky.Options{Faults: []flaky.Fault{{Path: "/manifests/", Do: flaky.Status(429, "Retry-After", value)}}})
			r.preload(t, "a", nil, "v1")
			if _, err := mustRepo(t, r.registry, "a").Resolve(t.Context(), repo.ByTag("v1")); err != nil {
				t.Fatal(err)
			}
			if got := r.total(); got != 40*time.Second {
				t.Errorf("slept %s, want 40s", got)
			}
		})
	}
}

// Manifests get over the same faults.
func TestManifestFaults(t *testing.T) {
	for name, do := range map[string]flaky.Action{
		"reset": flaky.Reset(10), "truncated": flaky.Truncate(10), "500": flaky.Status(500), "lost": flaky.Then(),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, flaky.Options{Faults: []flaky.Fault{
				{Method: http.MethodPut, Path: "/manifests/", Do: do}, {Method: http.MethodGet, Path: "/manifests/", Do: do},
			}})
			image, manifest := pushImage(t, mustRepo(t, r.registry, "a"), nil, "v1")
			got, body, err := mustRepo(t, r.registry, "a").Manifest(t.Context(), repo.ByTag("v1"))
			if err != nil || got.Digest != image.Digest || !bytes.Equal(body, manifest) {
				t.Errorf("Manifest = %v, %v", got, err)
			}
			if r.Script.Hits() != 2 {
				t.Errorf("%d faults happened, want 2", r.Script.Hits())
			}
		})
	}
}

// A HEAD that lies about the digest is found out by the content.
func TestLyingHead(t *testing.T) {
	lie := oci.FromBytes([]byte("something else"))
	r := newRig(t, flaky.Options{Faults: []flaky.Fault{
		{Path: "/manifests/", Times: -1, Do: flaky.Header("Docker-Content-Digest", lie.String())},
	}})
	r.preload(t, "a", nil, "v1")
	p := mustRepo(t, r.registry, "a")
	_, _, err := p.Manifest(t.Context(), repo.ByTag("v1"))
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Errorf("Manifest by tag = %v, want a CorruptError", err)
	}
	d, err := p.Resolve(t.Context(), repo.ByTag("v1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Manifest(t.Context(), repo.ByDigest(d.Digest)); !oci.IsNotFound(err) {
		t.Errorf("Manifest by the digest that HEAD made up = %v, want not found", err)
	}
}

// The same over TLS, where small calls go over HTTP/2.
func TestFaultsOverTLS(t *testing.T) {
	content, desc := randomBlob(13, 900_000)
	r := newRig(t, flaky.Options{TLS: true, Faults: []flaky.Fault{
		{Method: http.MethodPut, Path: "/manifests/", Times: 2, Do: flaky.Reset(0)},
		{Method: http.MethodGet, Path: "/manifests/", Times: 2, Do: flaky.Reset(10)},
		{Method: http.MethodGet, Path: "/blobs/", Times: 2, Do: flaky.Reset(100_000)},
		{Method: http.MethodPut, Path: "/uploads/", Times: 2, Do: flaky.BreakUpload(100_000)},
	}}, trusting)
	p := mustRepo(t, r.registry, "a")
	pushImage(t, p, [][]byte{content}, "v1")
	if _, _, err := p.Manifest(t.Context(), repo.ByTag("v1")); err != nil {
		t.Error(err)
	}
	if got, err := readBlob(t, p, desc.Digest, 0); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if r.Script.Hits() != 8 {
		t.Errorf("%d faults happened, want 8", r.Script.Hits())
	}
}

// A large upload goes on where it broke.
func TestLargeUploadGoesOn(t *testing.T) {
	content, desc := randomBlob(14, 3<<20)
	r := newRig(t, flaky.Options{Faults: onUpload(http.MethodPut, flaky.BreakUpload(2<<20))})
	if _, err := mustRepo(t, r.registry, "a").PutBlob(t.Context(), desc, opener(content), ""); err != nil {
		t.Fatal(err)
	}
	var lengths []int64
	for _, q := range r.Requests() {
		if q.Method == http.MethodPatch {
			lengths = append(lengths, q.Length)
		}
	}
	if !slices.Equal(lengths, []int64{1 << 20}) {
		t.Errorf("lengths of the PATCH requests %d, want the last MiB alone", lengths)
	}
}

// A source that fails is not the registry's fault: its error comes out as it
// is, and nothing is tried again here.
func TestBrokenSource(t *testing.T) {
	content, desc := randomBlob(15, 3<<20)
	r := newRig(t, flaky.Options{})
	opened := 0
	_, err := mustRepo(t, r.registry, "a").PutBlob(t.Context(), desc, func(context.Context, int64) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(io.MultiReader(bytes.NewReader(content[:2<<20]), iotest.ErrReader(syscall.ECONNRESET))), nil
	}, "")
	if err != syscall.ECONNRESET || opened != 1 { //nolint:errorlint // the very error
		t.Errorf("error %v after opening the source %d times, want its own error after one", err, opened)
	}
	if s := r.client.Hosts()[0]; s.Retries != 0 || s.Active != 0 {
		t.Errorf("%d retries, %d slots in use", s.Retries, s.Active)
	}
	if n := r.Count(http.MethodDelete, "/uploads/"); n != 1 {
		t.Errorf("%d uploads cancelled, want the one", n)
	}
}
