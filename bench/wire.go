//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// wire speaks to the repository of the loads over plain HTTP with nothing on top: no retry,
// no token, no question whether the content is there.
type wire struct {
	client *http.Client
	base   string // http://HOST/v2/REPOSITORY
}

func newWire(addr string) *wire {
	t := &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10}
	return &wire{client: &http.Client{Transport: t}, base: "http://" + addr + "/v2/" + repository}
}

// do sends a request and expects a status.
func (w *wire) do(req *http.Request, want int) (*http.Response, error) {
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == want {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // for the message only
	return nil, fmt.Errorf("%s %s: %s, want %d: %s", req.Method, req.URL, resp.Status, want, body)
}

// get opens a manifest ("manifests") or blob ("blobs").
func (w *wire) get(ctx context.Context, kind string, d oci.Descriptor) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+kind+"/"+d.Digest.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", d.MediaType)
	resp, err := w.do(req, http.StatusOK)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// has asks for a manifest or blob by its name.
func (w *wire) has(ctx context.Context, kind, name, mediaType string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, w.base+"/"+kind+"/"+name, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", mediaType)
	resp, err := w.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// putBlob sends a blob with one POST and one PUT.
func (w *wire) putBlob(ctx context.Context, d oci.Descriptor, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/blobs/uploads/", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := w.do(req, http.StatusAccepted)
	if err != nil {
		return err
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		return err
	}
	query := to.Query()
	query.Set("digest", d.Digest.String())
	to.RawQuery = query.Encode()
	return w.put(ctx, to, oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Size: d.Size}, body)
}

// putManifest sends a manifest under a tag or digest.
func (w *wire) putManifest(ctx context.Context, name string, d oci.Descriptor, body io.Reader) error {
	to, err := url.Parse(w.base + "/manifests/" + name)
	if err != nil {
		return err
	}
	return w.put(ctx, to, d, body)
}

func (w *wire) put(ctx context.Context, to *url.URL, d oci.Descriptor, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.String(), io.NopCloser(body))
	if err != nil {
		return err
	}
	req.ContentLength = d.Size
	req.Header.Set("Content-Type", d.MediaType)
	resp, err := w.do(req, http.StatusCreated)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
