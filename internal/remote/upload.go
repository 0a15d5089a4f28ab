package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// upload is one blob on its way into a repository.
type upload struct {
	r       *Repo
	desc    oci.Descriptor
	scope   scope
	session *session // nil before the first and after a lost one
	content *cursor
	from    string // repository to mount from, "" for none or once tried
	chunk   int64  // most bytes in one PATCH; 0 for the whole blob in one PUT
	resumed bool   // the registry has to be asked how far it got
	denied  bool   // our token was refused, and nothing was accepted since
	learned bool   // the registry, not the link, made us send chunks
	held    int    // times that the session was found in use since it began
}

// heldTries is how often a session is waited for that a request of ours which
// broke still has in use there: it may take the registry a minute to notice.
const heldTries = 3

// heldError is the answer about such a session.
type heldError struct{ error }

func (e heldError) Unwrap() error { return e.error }

// sourceError is a failure of the content's source, for which the registry
// need not be asked again.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// PutBlob implements repo.Sink: a mount if that is possible, else one PUT with
// the whole content; where the registry or the link takes no such thing,
// chunks that go on where they stopped.
func (r *Repo) PutBlob(ctx context.Context, desc oci.Descriptor, content repo.Opener, from string) (repo.Outcome, error) {
	if desc.Size < 0 {
		return repo.Sent, fmt.Errorf("%s: blob %s has no size", r, desc.Digest)
	}
	u := &upload{r: r, desc: desc, scope: push(r.path), from: from}
	u.content = &cursor{desc: desc, open: content, where: "source of " + r.String()}
	defer u.content.close()
	outcome, err := u.run(ctx)
	if err == nil {
		return outcome, nil
	}
	u.abandon(ctx)
	if s, ok := errors.AsType[sourceError](err); ok {
		return outcome, s.error
	}
	return outcome, r.explainPush(ctx, err)
}

// run tries until the blob is there or no try brings anything.
func (u *upload) run(ctx context.Context) (repo.Outcome, error) {
	for try := 1; ; try++ {
		before := u.content.reached
		outcome, err := u.attempt(ctx)
		if err == nil {
			return outcome, nil
		}
		if u.content.reached > before && u.session != nil {
			try = 1
		}
		if try >= patientTries || !u.recover(err) {
			return outcome, err
		}
		if !transient(err) {
			continue // another way, at once
		}
		if u.r.host.giveUp(ctx, try, err) {
			return outcome, err
		}
		if u.content.complete && u.present(ctx) {
			return repo.Sent, nil
		}
		if err := u.r.host.backoff(ctx, try, err); err != nil {
			return outcome, err
		}
	}
}

// attempt goes as far as it can, in one slot.
func (u *upload) attempt(ctx context.Context) (outcome repo.Outcome, err error) {
	slot, err := u.r.host.gate.acquire(ctx, writing)
	if err != nil {
		return outcome, err
	}
	sent := u.content.sent
	defer func() {
		if err != nil {
			slot.failed(notTheSource(err))
			return
		}
		slot.done(u.content.sent - sent)
	}()
	if u.session == nil {
		mounted, err := u.start(ctx)
		if mounted || err != nil {
			return repo.Mounted, err
		}
	}
	if u.chunk == 0 { // by now it is known what registry this is
		u.chunk = u.r.host.chunk.Load()
	}
	if u.chunk > 0 {
		return repo.Sent, u.sendChunks(ctx)
	}
	return repo.Sent, u.sendWhole(ctx)
}

// notTheSource leaves out what the destination is not to blame for.
func notTheSource(err error) error {
	if _, ok := errors.AsType[sourceError](err); ok {
		return nil
	}
	return err
}

// recover decides what to do differently next time, and whether there is to be one.
func (u *upload) recover(err error) bool {
	if _, ok := errors.AsType[sourceError](err); ok {
		return false
	}
	e, answered := asError(err)
	_, held := errors.AsType[heldError](err)
	switch {
	case held:
		if u.held++; u.held > heldTries {
			u.session, u.resumed = nil, false // it is left to expire
		}
		return true
	case !answered:
		u.resumeOrRestart()
		return transient(err)
	case e.Status == http.StatusUnauthorized && !u.denied: // the token ran out on the way
		u.denied, u.resumed = true, u.session != nil && u.chunk > 0
		return true
	case e.Status == http.StatusRequestEntityTooLarge:
		return u.shrink()
	case e.Status == http.StatusRequestedRangeNotSatisfiable && u.chunk > 0 && !u.resumed:
		u.resumed = true
		return true
	case u.session != nil && u.chunk == 0 && refusesWhole(e):
		u.chunk, u.session, u.learned = wholeChunk, nil, true
		return true
	case u.session != nil && u.chunk > 0 && e.Status == http.StatusNotFound && u.resumed:
		u.session, u.resumed = nil, false // the session is gone
		return true
	case retryStatus(e.Status):
		u.resumeOrRestart()
		return true
	}
	return false
}

// resumeOrRestart goes on with a large blob where the registry has it, and
// begins again with a small one. ECR loses all chunks but the first
// (containers-roadmap issue 2831), so that there is nothing to go on from.
func (u *upload) resumeOrRestart() {
	if u.session == nil || u.desc.Size < resumeFrom || u.r.host.kind() == kindECR {
		u.session = nil
		return
	}
	if u.chunk == 0 {
		u.chunk = wholeChunk
	}
	u.resumed = true
}

// shrink makes the requests smaller, until that makes no sense.
func (u *upload) shrink() bool {
	was := u.chunk
	if was == 0 || was > 2*firstChunk {
		was = min(2*firstChunk, u.desc.Size)
	}
	u.chunk, u.session, u.learned = was/2, nil, true
	return u.chunk >= leastChunk
}

// refusesWhole reports answers of registries that take content by PATCH alone
// (Artifactory answers 404, buildx issue 196).
func refusesWhole(e *Error) bool {
	switch e.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusLengthRequired:
		return true
	case http.StatusBadRequest:
		return !e.has(oci.ErrDigestInvalid, oci.ErrSizeInvalid, oci.ErrNameInvalid)
	}
	return false
}

// start opens a session, with a mount if one is possible: registries that
// cannot mount answer with a session. Any other answer to a mount leads to a
// plain start, because some registries fail on mounts in ways of their own.
func (u *upload) start(ctx context.Context) (mounted bool, err error) {
	if u.from != "" && !u.r.host.mountless.Load() {
		from := u.from
		u.from = ""
		mounted, err = u.post(ctx, u.mountScope(from), url.Values{"mount": {u.desc.Digest.String()}, "from": {u.r.sibling(from)}})
		if err == nil || ctx.Err() != nil || transient(err) {
			return mounted, err
		}
		if u.r.host.kind() == kindGitLab { // none works there (gitlab issue 20167)
			u.r.host.mountless.Store(true)
		}
	}
	return u.post(ctx, u.scope, nil)
}

func (u *upload) mountScope(from string) scope {
	if u.r.host.c.o.SkipMultipleScopes {
		return u.scope
	}
	return u.scope.reading(u.r.sibling(from))
}

// sibling is the name of another repository in the registry's API.
func (r *Repo) sibling(name string) string {
	other, err := r.registry.repo(name)
	if err != nil {
		return name
	}
	return other.path
}

func (r *Repo) startCall(s scope, query url.Values) call {
	return call{
		method: http.MethodPost, path: r.path + "/blobs/uploads/", query: query, scope: s,
		ok: []int{http.StatusAccepted}, missing: oci.ErrNameUnknown, bulk: true,
	}
}

func (u *upload) post(ctx context.Context, s scope, query url.Values) (mounted bool, err error) {
	c := u.r.startCall(s, query)
	if query != nil {
		c.ok = append(c.ok, http.StatusCreated)
	}
	err = u.r.host.exchange(ctx, c, func(resp *http.Response) error {
		if resp.StatusCode == http.StatusCreated {
			mounted = true
			return nil
		}
		next := &session{}
		if err := next.moved(resp); err != nil {
			return err
		}
		u.session, u.resumed, u.held = next, false, 0
		return nil
	})
	return mounted, err
}

// sendWhole sends the blob in one PUT with its length and digest.
func (u *upload) sendWhole(ctx context.Context) error {
	if err := u.content.seek(ctx, 0); err != nil {
		return err
	}
	return u.stream(ctx, u.finalCall(), u.desc.Size, u.finished)
}

// finalCall is the PUT that ends a session.
func (u *upload) finalCall() call {
	return call{
		method: http.MethodPut, at: u.session.with(u.desc.Digest), scope: u.scope, bulk: true,
		header:  http.Header{"Content-Type": {oci.MediaTypeOctetStream}},
		ok:      []int{http.StatusCreated, http.StatusNoContent, http.StatusOK},
		missing: oci.ErrBlobUploadUnknown,
	}
}

// finished checks what the registry says that it has taken.
func (u *upload) finished(resp *http.Response) error {
	told, err := oci.ParseDigest(resp.Header.Get("Docker-Content-Digest"))
	if err == nil && told.Algorithm() == u.desc.Digest.Algorithm() && told != u.desc.Digest {
		return u.r.mistaken(u.desc.Digest, told)
	}
	return nil
}

// stream sends the next n bytes of the content with a call.
func (u *upload) stream(ctx context.Context, c call, n int64, use func(*http.Response) error) error {
	if n == 0 {
		if err := u.content.end(); err != nil {
			return err
		}
		c.body = []byte{}
		return u.r.host.exchange(ctx, c, use)
	}
	body := &upBody{src: io.LimitReader(u.content, n), sent: func(n int) { u.r.host.bytes.sent.Add(int64(n)) }}
	c.stream, c.size = body, n
	err := u.r.host.exchange(ctx, c, use)
	failure := body.failure()
	if err != nil {
		u.content.interrupt()
	}
	_ = body.Close()
	if err != nil {
		u.content.pos = -1 // how much of it arrived is the registry's to say
	}
	if failure != nil {
		return sourceError{failure}
	}
	return err
}

// present asks whether the blob is there after all: the answer may have been
// lost where the content was not.
func (u *upload) present(ctx context.Context) bool {
	err := u.r.host.once(ctx, u.r.blobCall(http.MethodHead, u.desc.Digest), nil)
	return err == nil
}

// abandon cancels the session, if the registry lets us.
func (u *upload) abandon(ctx context.Context) {
	if u.session != nil {
		u.r.cancel(ctx, u.session)
	}
}
