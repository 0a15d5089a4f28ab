package release

import "maps"

// files are the payload files that count, each from the topmost layer that has
// it.
type files struct {
	references   []byte
	metadata     []byte
	verification Verification
	seen         map[string]bool // names that a layer below cannot bring any more
	kept         *kept           // all other files, nil where they are not asked for
}

// complete reports whether the layers below have nothing more to tell. A
// release is put together in one layer, so that the manifests, among them the
// verification keys, are where these two files are.
func (f *files) complete() bool { return f.references != nil && f.metadata != nil }

// under returns a copy to add the next lower layer to.
func (f *files) under() *files {
	next := *f
	next.seen = maps.Clone(f.seen)
	next.kept = f.kept.clone()
	return &next
}

// add is given the payload files of one layer.
func (f *files) add(name string, content []byte) error {
	if f.seen[name] {
		return nil
	}
	f.seen[name] = true
	switch name {
	case imageReferences:
		f.references = content
	case releaseMetadata:
		f.metadata = content
	default:
		if v, ok := parseVerification(name, content); ok && f.verification.File == "" {
			f.verification = v
		}
		return f.kept.add(name, content)
	}
	return nil
}
