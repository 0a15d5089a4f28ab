package mirror

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// skip is a clock that goes on only by those who sleep.
type skip struct {
	mu  sync.Mutex
	now time.Time
}

func (s *skip) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *skip) Sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
	return ctx.Err()
}

// across mirrors a release from one flaky registry to another.
type across struct {
	from, to *flaky.Server
	release  *sample.Release
	world    *world
}

func newAcross(t *testing.T) *across {
	t.Helper()
	a := &across{from: flaky.Start(t, flaky.Options{}), to: flaky.Start(t, flaky.Options{}), world: newWorld(t)}
	a.release = sample.New(5).Release(sample.ReleaseSpec{Version: "4.14.3", Repository: a.from.Addr + "/comp/images", LayerSize: 60 << 10})
	rel, err := a.from.Registry.Repo("ocp/release")
	if err != nil {
		t.Fatal(err)
	}
	comp, err := a.from.Registry.Repo("comp/images")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.release.Push(t.Context(), rel, comp); err != nil {
		t.Fatal(err)
	}
	clock := &skip{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	client := remote.New(remote.Options{Insecure: true, Now: clock.Now, Sleep: clock.Sleep, Stall: 2 * time.Second})
	a.world.regs.o.Remote = func(host string) repo.Registry { return client.Registry(host) }
	return a
}

func (a *across) mirror(ctx context.Context) error {
	from := ref.MustParse(a.from.Addr + "/ocp/release:" + a.release.Tag())
	p, err := ReadRelease(ctx, a.world.regs, from)
	if err != nil {
		return err
	}
	to, err := release.ParseTemplate(a.to.Addr + "/far/release")
	if err != nil {
		return err
	}
	wishes, err := ReleaseWishes(ctx, a.world.regs, p, from, release.Naming{To: to})
	if err != nil {
		return err
	}
	_, err = Copy(ctx, a.world.regs, wishes, CopyOptions{}, a.world.observer())
	return err
}

// check compares every image of the far side, byte for byte.
func (a *across) check(t *testing.T, want bool) {
	t.Helper()
	far, err := a.to.Registry.Repo("far/release")
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]*sample.Image{a.release.Tag(): a.release.Image}
	for _, c := range a.release.Components {
		images[a.release.Tag()+"-"+c.Name] = c.Image
	}
	for tag, im := range images {
		desc, _, err := far.Manifest(t.Context(), repo.ByTag(tag))
		if oci.IsNotFound(err) && !want {
			continue
		}
		if err != nil || desc.Digest != im.Desc.Digest {
			t.Errorf("%s: %s, error %v", tag, desc.Digest, err)
			continue
		}
		for _, b := range im.Blobs {
			v, err := repo.NewVerifier(t.Context(), b.Desc, func(ctx context.Context, at int64) (io.ReadCloser, error) {
				return far.OpenBlob(ctx, b.Desc.Digest, at)
			}, tag)
			if err == nil {
				_, err = io.Copy(io.Discard, v)
			}
			if err != nil {
				t.Errorf("%s: %v", tag, err)
			}
		}
	}
}

// Every fault passes, and every blob arrives as it was.
func TestMirrorThroughFaults(t *testing.T) {
	for name, add := range map[string]func(*across){
		"downloads reset": func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/blobs/", Skip: 3, Times: 4, Do: flaky.Reset(20_000)})
		},
		"downloads truncated": func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/blobs/", Skip: 5, Times: 3, Do: flaky.Truncate(9_000)})
		},
		"downloads stalled": func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/blobs/", Skip: 5, Times: 1, Do: flaky.Stall(9_000)})
		},
		"wrong bytes once": func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/blobs/", Skip: 6, Times: 1, Do: flaky.Corrupt(500)})
		},
		"429 with a time": func(a *across) {
			a.from.Script.Add(flaky.Fault{Skip: 4, Times: 5, Do: flaky.Status(429, "Retry-After", "7")})
		},
		"500 while planning": func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/manifests/", Skip: 2, Times: 3, Do: flaky.Status(500)})
		},
		"uploads broken": func(a *across) {
			a.to.Script.Add(flaky.Fault{Method: http.MethodPut, Path: "/blobs/", Skip: 3, Times: 3, Do: flaky.BreakUpload(10_000)})
		},
		"503 on manifests": func(a *across) {
			a.to.Script.Add(flaky.Fault{Method: http.MethodPut, Path: "/manifests/", Skip: 1, Times: 4, Do: flaky.Status(503)})
		},
		"429 on uploads": func(a *across) {
			a.to.Script.Add(flaky.Fault{Method: http.MethodPost, Skip: 2, Times: 3, Do: flaky.Status(429)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcross(t)
			add(a)
			if err := a.mirror(t.Context()); err != nil {
				t.Fatal(err, a.world.told)
			}
			a.check(t, true)
		})
	}
}

// A fault that stays names the image and its side, and leaves nothing wrong.
func TestMirrorThroughLastingFaults(t *testing.T) {
	for name, test := range map[string]struct {
		add  func(*across)
		side repo.Side
	}{
		"wrong bytes": {func(a *across) {
			a.from.Script.Add(flaky.Fault{Path: "/comp/images/blobs/", Times: -1, Do: flaky.Corrupt(500)})
		}, repo.SideSource},
		"500": {func(a *across) {
			a.to.Script.Add(flaky.Fault{Method: http.MethodPut, Path: "/manifests/", Times: -1, Do: flaky.Status(500)})
		}, repo.SideDestination},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcross(t)
			test.add(a)
			err := a.mirror(t.Context())
			e, ok := errors.AsType[*repo.Error](err)
			if !ok {
				for _, told := range a.world.told {
					t.Log(told)
				}
			}
			if err == nil || ok && (e.Side != test.side || e.Ref == "") {
				t.Errorf("error %v, want one of the %s that names the image", err, test.side)
			}
			a.check(t, false)
			far, _ := a.to.Registry.Repo("far/release")
			if _, _, err := far.Manifest(t.Context(), repo.ByTag(a.release.Tag())); err == nil {
				t.Error("the release image is there without all its components")
			}
		})
	}
}
