package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// slowReader takes its time for each read.
type slowReader struct {
	io.Reader
	time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(r.Duration)
	return r.Reader.Read(p)
}

// A transport that asks for no more stalls; a source that takes its time does
// not; an answer to a finished upload may take longer.
func TestStalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), time.Minute)
		body := &upBody{src: slowReader{bytes.NewReader(make([]byte, 20)), time.Hour}, w: w, sent: func(int) {}}
		if _, err := body.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-ctx.Done()
		if waited := time.Since(began); waited != time.Minute || !errors.Is(context.Cause(ctx), errStalled) {
			t.Errorf("ended after %s by %v, want after a minute by a stall", waited, context.Cause(ctx))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), time.Minute)
		body := &upBody{src: bytes.NewReader(make([]byte, 20)), w: w, sent: func(int) {}}
		if _, err := io.ReadAll(body); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-ctx.Done()
		if waited := time.Since(began); waited != answerFactor*time.Minute {
			t.Errorf("an answer was waited for for %s, want ten minutes", waited)
		}
	})
}

// A slow consumer is no stall; a slow network is one.
func TestStalledDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), time.Minute)
		w.pause()
		body := &downBody{io.NopCloser(bytes.NewReader(make([]byte, 20))), ctx, w}
		for range 2 {
			time.Sleep(time.Hour)
			if _, err := body.Read(make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Errorf("a slow consumer: %v", context.Cause(ctx))
		}
		body.ReadCloser = io.NopCloser(slowReader{body.ReadCloser, time.Hour})
		_, _ = body.Read(make([]byte, 5))
		if !errors.Is(explain(ctx, io.EOF), errStalled) {
			t.Errorf("an hour without a byte: %v", context.Cause(ctx))
		}
		_ = body.Close()
	})
}
