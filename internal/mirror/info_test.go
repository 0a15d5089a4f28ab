package mirror

import (
	"context"
	"errors"
	"fmt"
	"testing"

	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// A release whose component is a list of its own: of it, the image for the
// platform that the release was read for counts.
func TestInfoOfListsWithinARelease(t *testing.T) {
	w, m := newWorld(t), sample.New(5)
	one := func(p oci.Platform) *sample.Image {
		return sample.NewImage(sample.ImageSpec{Platform: p, Layers: []sample.Blob{m.Layer(100)}})
	}
	component := sample.NewIndex(sample.OCI, one(sample.ARM64), one(sample.AMD64))
	w.pushByDigest("far.example.com/art", component)
	releaseFor := func(p oci.Platform) *sample.Image {
		stream := fmt.Sprintf(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.15.0"},"spec":{"tags":[
			{"name":"cli","from":{"kind":"DockerImage","name":"far.example.com/art@%s"}}]}}`, component.Desc.Digest)
		return sample.NewImage(sample.ImageSpec{Platform: p, Layers: []sample.Blob{sample.Files(sample.File{Name: "release-manifests/image-references", Body: []byte(stream)})}})
	}
	w.push("far.example.com/ocp:4.15.0-multi", sample.NewIndex(sample.OCI, releaseFor(sample.AMD64), releaseFor(sample.ARM64)))
	for filter, want := range map[string]int{"": 1, "arm64": 0, "linux": 1, "linux/a.*64": 1} {
		only, err := oci.ParsePlatformFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		info, err := ReadInfo(t.Context(), w.regs, ref.MustParse("far.example.com/ocp:4.15.0-multi"), InfoOptions{Filter: only, Platform: sample.AMD64, Images: true})
		if err != nil || len(info.Unread) > 0 {
			t.Fatal(filter, err, info)
		}
		if got := info.Images["cli"]; got.Digest != component.Children[want].Desc.Digest || got.ListDigest != component.Desc.Digest {
			t.Errorf("%q: %s of %s", filter, got.Digest, got.ListDigest)
		}
		if n := info.Places[ref.MustParse("far.example.com/art")]; n != 1 {
			t.Errorf("%q: found in %v", filter, info.Places)
		}
	}
	// The first of the release's where none is preferred; not the first of the component's.
	for preferred, want := range map[string]string{"arm64": "arm64", "amd64": "amd64", "s390x": "amd64"} {
		o := InfoOptions{Platform: oci.Platform{OS: "linux", Architecture: preferred}, Images: true}
		info, err := ReadInfo(t.Context(), w.regs, ref.MustParse("far.example.com/ocp:4.15.0-multi"), o)
		if err != nil || info.Images["cli"].Platform().Architecture != want {
			t.Error(preferred, err, info.Images["cli"].Platform())
		}
	}
}

// Each image of a pattern has its own result; listing that fails is the call's.
func TestReadImages(t *testing.T) {
	w, m := newWorld(t), sample.New(6)
	im := sample.NewImage(sample.ImageSpec{Layers: []sample.Blob{m.Layer(100)}})
	w.push("far.example.com/app:b", im)
	w.push("far.example.com/app:a", sample.NewIndex(sample.Docker, im, sample.NewImage(sample.ImageSpec{Platform: sample.ARM64, Layers: []sample.Blob{m.Layer(100)}})))
	pattern := func(s string) ref.Pattern {
		p, err := ref.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	found, err := ReadImages(t.Context(), w.regs, pattern("far.example.com/app:*"), InfoOptions{})
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	if _, ok := errors.AsType[*img.SeveralError](found[0].Err); !ok || found[0].Ref.Tag != "a" {
		t.Errorf("%+v", found[0])
	}
	if got := found[1]; got.Err != nil || got.Images[0].Name != "far.example.com/app:b" || got.Images[0].Digest != im.Desc.Digest {
		t.Errorf("%+v", got)
	}
	found, err = ReadImages(t.Context(), w.regs, pattern("far.example.com/app:a"), InfoOptions{All: true})
	if err != nil || len(found) != 1 || len(found[0].Images) != 2 {
		t.Error(found, err)
	}
	found, err = ReadImages(t.Context(), w.regs, pattern("far.example.com/app:none"), InfoOptions{})
	if err != nil || !oci.IsNotFound(found[0].Err) {
		t.Error(found, err)
	}
	if _, err := ReadImages(t.Context(), w.regs, pattern("far.example.com/nothing:*"), InfoOptions{}); !oci.IsNotFound(err) {
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := ReadImages(ended, w.regs, pattern("far.example.com/app:b"), InfoOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A component whose content is wrong is named, and still decides what the run is worth.
func TestInfoKeepsTheCauseOfUnreadImages(t *testing.T) {
	w, m := newWorld(t), sample.New(7)
	r := m.Release(sample.ReleaseSpec{Version: "4.15.0", Repository: "far.example.com/art", Components: 3})
	w.push("far.example.com/ocp:4.15.0", r.Image)
	w.pushByDigest("far.example.com/art", r.Components[0].Image, r.Components[2].Image)
	info, err := ReadInfo(t.Context(), w.regs, ref.MustParse("far.example.com/ocp:4.15.0"), InfoOptions{Platform: sample.AMD64, Images: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Unread) != 1 || !oci.IsNotFound(info.Unread[0]) || len(info.Images) != 2 || len(info.Warnings) != 1 {
		t.Errorf("%v, %d images, %q", info.Unread, len(info.Images), info.Warnings)
	}
	if _, err := ReadInfo(t.Context(), w.regs, ref.MustParse("far.example.com/ocp:none"), InfoOptions{}); !oci.IsNotFound(err) {
		t.Error(err)
	} else if e, ok := errors.AsType[*repo.Error](err); !ok || e.Op != OpReadRelease {
		t.Error(err)
	}
}
