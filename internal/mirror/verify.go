package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/signature"
)

// Policy says what it means that a release cannot be verified.
type Policy int

// The policies of --verify.
const (
	// VerifyUsual is VerifyRequire where a trusted key can say whether the
	// release is genuine, else VerifyWarn.
	VerifyUsual Policy = iota
	VerifyOff
	VerifyWarn
	VerifyRequire
)

// ParsePolicy reads the value of --verify; "" is VerifyUsual.
func ParsePolicy(s string) (Policy, error) {
	switch s {
	case "":
		return VerifyUsual, nil
	case "off":
		return VerifyOff, nil
	case "warn":
		return VerifyWarn, nil
	case "require":
		return VerifyRequire, nil
	}
	return VerifyUsual, fmt.Errorf("--verify must be one of warn, require, off, not %.100q", s)
}

// Verifier verifies releases before they are copied.
type Verifier struct {
	Policy Policy
	// Given are the keys that the user gave.
	Given signature.Keys
	// Fetch says how signature stores are asked.
	Fetch signature.Options
	// Dirs are directories with signature config maps. They are looked at
	// first, so that what was fetched once is verified without a network.
	Dirs []string
}

// Why a release cannot be verified, besides the errors of package signature.
var (
	ErrNoKeys     = errors.New("it carries no keys to verify it with, and no --key was given")
	ErrSelfSigned = errors.New("it is self-signed: only its own payload vouches for the key")
	ErrNotKept    = errors.New("the medium has no signature of it")
)

// UnverifiedError says that a release could not be verified.
type UnverifiedError struct {
	Version string
	Digest  oci.Digest
	Err     error
}

// Error implements error.
func (e *UnverifiedError) Error() string {
	return fmt.Sprintf("verifying release %s, %s: %v", e.Version, e.Digest, e.Err)
}

// Unwrap returns the cause.
func (e *UnverifiedError) Unwrap() error { return e.Err }

// Verified are the valid signatures of a release.
type Verified struct {
	images []verifiedImage // the list, or the image, first
}

type verifiedImage struct {
	digest oci.Digest
	found  signature.Found
}

// ConfigMaps are the signatures as files for a cluster, none where there are
// no valid signatures.
func (v *Verified) ConfigMaps() []cluster.File {
	var out []cluster.File
	for _, image := range v.images {
		var bodies [][]byte
		for _, s := range image.found.Signatures {
			bodies = append(bodies, s.Body)
		}
		out = append(out, cluster.SignatureMap(image.digest, bodies))
	}
	return out
}

// official is where Red Hat publishes releases. All there are signed, so that
// one without Red Hat's key is not what it says.
var official = ref.MustParse("quay.io/openshift-release-dev/ocp-release")

// check is the verification of one release.
type check struct {
	Verifier
	payload *release.Payload
	keys    signature.Keys
	obs     Observer
	policy  Policy
}

func (v Verifier) check(p *release.Payload, from ref.Ref, obs Observer) *check {
	c := &check{Verifier: v, payload: p, keys: v.Given, obs: obs, policy: v.Policy}
	for _, name := range p.Verification.Keys {
		var err error
		if c.keys, err = c.keys.Carry(p.Verification.Rings[name]); err != nil {
			obs.Warn("release %s: the key %s of its payload cannot be read: %v", p.Version, name, err)
		}
	}
	if c.policy == VerifyUsual {
		c.policy = VerifyWarn
		if c.keys.Trusted() || from.Scheme == ref.Registry && from.Repository().Canonical() == official.Canonical() {
			c.policy = VerifyRequire
		}
	}
	return c
}

// Release verifies a release that is about to be mirrored: the digest that was
// asked for must be signed. Of a release of several architectures the one image
// that was read is looked at too, for clusters that know it by that digest;
// nothing depends on it, since the list's signature vouches for its images.
// The error is *UnverifiedError or that of the context.
func (v Verifier) Release(ctx context.Context, p *release.Payload, from ref.Ref, obs Observer) (*Verified, error) {
	if v.Policy == VerifyOff {
		obs.Info("release %s: its authenticity is not checked (--verify=off)", p.Version)
		return &Verified{}, nil
	}
	c := v.check(p, from, obs)
	if c.keys.Empty() {
		return &Verified{}, c.failed(ErrNoKeys)
	}
	digests := []oci.Digest{p.Root()}
	if p.Multi() {
		digests = append(digests, p.Digest)
	}
	found, errs := make([]signature.Found, len(digests)), make([]error, len(digests))
	var wait sync.WaitGroup
	for i, d := range digests {
		wait.Go(func() { found[i], errs[i] = c.find(ctx, d) })
	}
	wait.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return c.judge(digests, found, errs)
}

// find looks into the directories, then asks the stores.
func (c *check) find(ctx context.Context, d oci.Digest) (signature.Found, error) {
	kept, keptErr := c.kept(d)
	if keptErr == nil {
		return kept, nil
	}
	if stores := len(c.payload.Verification.Stores); d == c.payload.Root() && stores > 0 {
		c.obs.Info("release %s: looking for its signature (stores: %d) ...", c.payload.Version, stores)
	}
	found, err := signature.Fetch(ctx, c.payload.Verification.Stores, d, c.keys, c.Fetch)
	if err == nil || errors.Is(keptErr, ErrNotKept) || as[*signature.RefusedError](err) {
		return found, err
	}
	return found, keptErr // bad signatures are told before stores that are silent
}

// judge decides about the first digest, and keeps what is valid of all.
func (c *check) judge(digests []oci.Digest, found []signature.Found, errs []error) (*Verified, error) {
	if errs[0] != nil {
		return &Verified{}, c.failed(errs[0])
	}
	best := found[0].Best()
	if !best.Trusted {
		if err := c.failed(fmt.Errorf("%w (%s)", ErrSelfSigned, best.By())); err != nil {
			return &Verified{}, err
		}
	} else {
		c.obs.Info("release %s is genuine: %s is signed by %s (%s)", c.payload.Version, digests[0], best.By(), found[0].Store)
	}
	v := &Verified{}
	for i, d := range digests {
		if as[*signature.RefusedError](errs[i]) {
			c.obs.Warn("release %s: image %s of the list: %v", c.payload.Version, d, errs[i])
		}
		if errs[i] == nil {
			v.images = append(v.images, verifiedImage{d, found[i]})
		}
	}
	return v, nil
}

// failed makes an error of a failure, or a warning, as the policy says.
func (c *check) failed(err error) error {
	unverified := &UnverifiedError{Version: c.payload.Version, Digest: c.payload.Root(), Err: err}
	if c.policy == VerifyRequire {
		return unverified
	}
	c.obs.Warn("%v: the authenticity of this release is not proven", unverified)
	return nil
}

func as[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
