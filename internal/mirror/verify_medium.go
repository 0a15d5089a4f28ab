package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/signature"
)

// maxEntries is how many names of a directory of signatures are looked at.
const maxEntries = 10000

// Medium verifies a release that is about to be pushed from a medium, with the
// signatures in the directories alone. A signature that is not valid is an
// error where the release has to be verified. One that is missing is a warning
// unless the user asks for it: media of oc may have none, and nothing can be
// done about it on the far side.
func (v Verifier) Medium(p *release.Payload, obs Observer) (*Verified, error) {
	if v.Policy == VerifyOff {
		obs.Info("release %s: its authenticity is not checked (--verify=off)", p.Version)
		return &Verified{}, nil
	}
	c := v.check(p, ref.Ref{Scheme: ref.File}, obs)
	if c.keys.Empty() {
		return &Verified{}, c.failed(ErrNoKeys)
	}
	digests := []oci.Digest{p.Root()}
	if p.Multi() {
		digests = append(digests, p.Digest)
	}
	found, errs := make([]signature.Found, len(digests)), make([]error, len(digests))
	for i, d := range digests {
		found[i], errs[i] = c.kept(d)
	}
	if errors.Is(errs[0], ErrNotKept) && v.Policy != VerifyRequire {
		c.policy = VerifyWarn
		errs[0] = fmt.Errorf("%w; to have one, mirror the release to the medium again where the signature stores can be reached", errs[0])
	}
	return c.judge(digests, found, errs)
}

// kept looks for an image's signatures in the directories. The error is
// ErrNotKept or *signature.RefusedError.
func (c *check) kept(d oci.Digest) (signature.Found, error) {
	var refused []signature.StoreError
	for _, dir := range c.Dirs {
		maps, bad := readMaps(dir, d)
		refused = append(refused, bad...)
		for _, m := range maps {
			found, bad := c.valid(m, d)
			refused = append(refused, bad...)
			if len(found.Signatures) > 0 && (found.Trusted() || !c.keys.Trusted()) {
				return found, nil
			}
			if len(found.Signatures) > 0 {
				refused = append(refused, signature.StoreError{Store: m.path, Err: fmt.Errorf("%w (%s)", ErrSelfSigned, found.Best().By())})
			}
		}
	}
	if len(refused) > 0 {
		return signature.Found{}, &signature.RefusedError{Signatures: refused}
	}
	return signature.Found{}, fmt.Errorf("%w in %s", ErrNotKept, strings.Join(c.Dirs, ", "))
}

// valid verifies the signatures of a config map.
func (c *check) valid(m keptMap, d oci.Digest) (signature.Found, []signature.StoreError) {
	found := signature.Found{Store: m.path}
	var bad []signature.StoreError
	for _, body := range m.bodies {
		s, err := signature.Verify(body, d, c.keys, c.Fetch.Now)
		if err != nil {
			bad = append(bad, signature.StoreError{Store: m.path, Err: err})
			continue
		}
		found.Signatures = append(found.Signatures, s)
	}
	return found, bad
}

// keptMap is a signature config map that was read.
type keptMap struct {
	path   string
	bodies [][]byte
}

// readMaps reads the config maps in a directory that are about an image: those
// named after it, whatever they hold, and others that hold its signatures. A
// directory that is not there has none.
func readMaps(dir string, d oci.Digest) ([]keptMap, []signature.StoreError) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []signature.StoreError{{Store: dir, Err: err}}
	}
	defer func() { _ = root.Close() }() // it was only read
	var maps []keptMap
	var bad []signature.StoreError
	for _, name := range mapNames(root) {
		path := filepath.Join(dir, name)
		named := strings.HasPrefix(name, cluster.SignatureStem(d)+".")
		content, err := readMap(root, name)
		if err == nil && !named && !bytes.Contains(content, []byte(d.Hex())) {
			continue
		}
		var bodies [][]byte
		var about oci.Digest
		if err == nil {
			about, bodies, err = cluster.ParseSignatureMap(content)
		}
		if err == nil && about != d {
			err = fmt.Errorf("it holds signatures of %s", about)
		}
		switch {
		case err == nil:
			maps = append(maps, keptMap{path, bodies})
		case named:
			bad = append(bad, signature.StoreError{Store: path, Err: err})
		}
	}
	return maps, bad
}

// mapNames are the names in a directory that may be those of config maps, in
// order.
func mapNames(root *os.Root) []string {
	dir, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxEntries)
	names = slices.DeleteFunc(names, func(name string) bool {
		ext := filepath.Ext(name)
		return !strings.HasPrefix(name, cluster.SignaturePrefix) || ext != ".json" && ext != ".yaml" && ext != ".yml"
	})
	slices.Sort(names)
	return names
}

// readMap reads a regular file. Links are not followed: the medium is foreign.
func readMap(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, cluster.MaxSignatureMap+1))
}
