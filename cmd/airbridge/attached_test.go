package main

import (
	"context"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// cmdAttach attaches to an image what cosign and newer sigstore tools do: a
// signature under a tag, SIG being its tag, and a bundle that has none, BUNDLE
// being its digest.
func cmdAttach(ts *testscript.TestScript, _ bool, args []string) {
	rp := open(ts, args[0], args[1])
	t := repo.ByTag(args[2])
	if d, err := oci.ParseDigest(args[2]); err == nil {
		t = repo.ByDigest(d)
	}
	desc, body, err := rp.Manifest(context.Background(), t)
	ts.Check(err)
	tag := sample.CosignTag(desc.Digest, ".sig")
	ts.Check(sample.Signature(desc.Digest).Push(context.Background(), rp, tag))
	bundle := sample.Referrer(&sample.Image{Desc: desc, Body: body}, "{}")
	ts.Check(bundle.Push(context.Background(), rp))
	ts.Setenv("SIG", tag)
	ts.Setenv("BUNDLE", bundle.Desc.Digest.String())
}

// cmdReferred checks that a registry lists BUNDLE among those of an image.
func cmdReferred(ts *testscript.TestScript, neg bool, args []string) {
	rp := open(ts, args[0], args[1])
	desc, err := rp.Resolve(context.Background(), repo.ByTag(args[2]))
	ts.Check(err)
	var found []string
	for d, err := range rp.Referrers(context.Background(), desc.Digest) {
		ts.Check(err)
		found = append(found, d.Digest.String())
	}
	if strings.Contains(strings.Join(found, " "), ts.Getenv("BUNDLE")) == neg {
		ts.Fatalf("%s/%s:%s is referred to by %v", args[0], args[1], args[2], found)
	}
}
