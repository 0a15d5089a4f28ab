//go:build soak

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// piece is one step of a plain push: a blob, or a manifest with its tag.
type piece struct {
	blob *sample.Blob
	im   *sample.Image
	tag  string
}

func (v *serveScene) pieces() []piece {
	var out []piece
	for _, c := range v.ground.cargo {
		for _, im := range c.image.All() {
			for i := range im.Blobs {
				out = append(out, piece{blob: &im.Blobs[i]})
			}
			out = append(out, piece{im: im})
		}
		out = append(out, piece{im: c.image, tag: c.tag})
	}
	return out
}

// pushPlainly pushes one piece after the other by hand and kills the server at
// one that suits the phase.
func (s *soak) pushPlainly(v *serveScene, want phase) phase {
	var left []piece
	for _, p := range v.pieces() {
		if !v.has(p) {
			left = append(left, p)
		}
	}
	var fit []int
	for i, p := range left {
		if p.suits(want) {
			fit = append(fit, i)
		}
	}
	stop := len(left)
	if len(fit) > 0 {
		stop = fit[v.rng.IntN(len(fit))]
	}
	for _, p := range left[:stop] {
		v.must(v.send(p, nil))
	}
	if stop == len(left) {
		return elsewhere // killed after the last answer
	}
	if want == inBlob {
		return v.killInBody(left[stop])
	}
	return v.killInCommit(left[stop], want)
}

func (p piece) suits(want phase) bool {
	switch want {
	case inBlob, inCommit:
		return p.blob != nil
	case inTags:
		return p.tag != ""
	}
	return p.im != nil && p.tag == ""
}

func (v *serveScene) has(p piece) bool {
	path := "/blobs/"
	d := oci.Digest{}
	if p.blob != nil {
		d = p.blob.Desc.Digest
	} else {
		path, d = "/manifests/", p.im.Desc.Digest
	}
	if p.tag != "" && v.ground.record.tags[p.tag].IsZero() {
		return false
	}
	res, err := v.request(http.MethodHead, "/v2/"+soakRepo+path+d.String(), "", nil)
	v.must(err)
	return res.StatusCode == http.StatusOK
}

func (v *serveScene) request(method, path, mediaType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.addr+path, body)
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res, res.Body.Close()
}

// send pushes a piece and notes that it was acknowledged. ready is called
// between the opening of an upload and its only PUT.
func (v *serveScene) send(p piece, ready func(location string)) error {
	path, mediaType, body := "/v2/"+soakRepo+"/manifests/", "", []byte(nil)
	if p.blob != nil {
		location, err := v.openUpload()
		if err != nil {
			return err
		}
		path, mediaType = location+"?digest="+p.blob.Desc.Digest.String(), "application/octet-stream"
		if body, err = p.content(v); err != nil {
			return err
		}
	} else {
		path, mediaType, body = path+p.target(), p.im.Desc.MediaType, p.im.Body
	}
	if ready != nil {
		ready(path)
	}
	res, err := v.request(http.MethodPut, path, mediaType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT %s: %s", path, res.Status)
	}
	v.acknowledge(p)
	return nil
}

func (p piece) content(v *serveScene) ([]byte, error) {
	rc, err := p.blob.Open(v.t.Context(), 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(rc)
}

func (p piece) target() string {
	if p.tag != "" {
		return p.tag
	}
	return p.im.Desc.Digest.String()
}

func (v *serveScene) openUpload() (location string, err error) {
	res, err := v.request(http.MethodPost, "/v2/"+soakRepo+"/blobs/uploads/", "", nil)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("POST: %s", res.Status)
	}
	return res.Header.Get("Location"), nil
}

func (v *serveScene) acknowledge(p piece) {
	if p.blob != nil {
		v.ground.record.blobs[p.blob.Desc.Digest] = p.blob.Desc.Size
		return
	}
	v.ground.record.manifests[p.im.Desc.Digest] = true
	if p.tag != "" {
		v.ground.record.tags[p.tag] = p.im.Desc.Digest
	}
}

// killInCommit kills between the last byte of a PUT and its answer. Where the
// piece needs no such call the answer comes, and the server is killed after it.
func (v *serveScene) killInCommit(p piece, want phase) phase {
	var a aim
	var tracer *process
	err := v.send(p, func(location string) {
		a = v.commitAim(p, want, location)
		tracer = v.attach(a, v.server.Process.Pid)
	})
	v.down()
	tracer.detach()
	got, terr := tracer.hit(a, true)
	v.must(terr)
	if err == nil {
		return elsewhere
	}
	return got
}

func (v *serveScene) commitAim(p piece, want phase, location string) aim {
	location, _, _ = strings.Cut(location, "?")
	partial := v.at("airbridge", "partial", filepath.Base(location))
	if p.im != nil {
		d := p.im.Desc.Digest
		partial = v.at("airbridge", "partial", "d-"+d.Algorithm()+"-"+d.Hex())
	}
	aims := []aim{{"write", v.logs(), 1}, {"fsync", v.logs(), 1}}
	content := []aim{{"fsync", partial, 1}, {call: "renameat", when: 1}, {"fsync", v.at("blobs", "sha256"), 1}}
	switch want {
	case inCheckpoint:
		aims = content
	case inCommit:
		aims = append(aims, content...)
	}
	return aims[v.rng.IntN(len(aims))]
}

// killInBody kills when the server has taken part of a blob: a chunk that it
// answered, and half of the next one. The chunk must be there afterwards.
func (v *serveScene) killInBody(p piece) phase {
	location, err := v.openUpload()
	v.must(err)
	body, err := p.content(v)
	v.must(err)
	chunk := body[:v.rng.IntN(len(body))]
	res, err := v.request(http.MethodPatch, location, "application/octet-stream", bytes.NewReader(chunk))
	v.must(err)
	if res.StatusCode != http.StatusAccepted {
		v.t.Fatalf("round %d: PATCH: %s", v.rounds, res.Status)
	}
	_, err = v.request(http.MethodPut, location+"?digest="+p.blob.Desc.Digest.String(), "application/octet-stream",
		io.MultiReader(bytes.NewReader(body[len(chunk):(len(chunk)+len(body))/2]), killer{v.server.Process}))
	if err == nil {
		v.t.Fatalf("round %d: a server that was killed answered", v.rounds)
	}
	v.down()
	v.resume(p, location, body, len(chunk))
	return inBlob
}

// killer is a body that never ends: reading it kills.
type killer struct{ p *os.Process }

// Read implements io.Reader.
func (k killer) Read([]byte) (int, error) {
	_ = k.p.Kill()
	return 0, io.ErrUnexpectedEOF
}

// resume goes on with the upload after the server's death: at least what was
// answered is still there, and the blob can be completed from where it is.
func (v *serveScene) resume(p piece, location string, body []byte, least int) {
	v.ground.check()
	v.up()
	res, err := v.request(http.MethodGet, location, "", nil)
	v.must(err)
	var end int
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &end); err != nil || res.StatusCode != http.StatusNoContent {
		v.t.Fatalf("round %d: upload after the kill: %s, range %q", v.rounds, res.Status, res.Header.Get("Range"))
	}
	if end > 0 {
		end++
	}
	if end < least {
		v.t.Fatalf("round %d: %d bytes of the upload are there, %d were acknowledged", v.rounds, end, least)
	}
	res, err = v.request(http.MethodPut, location+"?digest="+p.blob.Desc.Digest.String(), "application/octet-stream", bytes.NewReader(body[end:]))
	v.must(err)
	if res.StatusCode != http.StatusCreated {
		v.t.Fatalf("round %d: PUT of the rest: %s", v.rounds, res.Status)
	}
	v.acknowledge(p)
}
