package release

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// maxKept is how many bytes of payload files are held at once. A real release has
// 5 MB.
const maxKept = 256 << 20

// Contents is a payload with everything that it was read from.
type Contents struct {
	*Payload
	Config     *image.Config     // of the release image
	Size       int64             // of its layers in bytes, as they are stored
	References []byte            // the file image-references
	Manifests  map[string][]byte // what a cluster applies, by file name
	Others     map[string][]byte // files that are none of these
}

// ReadContents is Read for the image that pick chooses from a list, and keeps
// all files.
func ReadContents(ctx context.Context, src repo.Source, t repo.Target, pick image.Pick) (*Contents, error) {
	rd := &reader{src: src, name: "release image " + t.String(), pick: pick}
	p, found, err := rd.read(ctx, t, &files{seen: map[string]bool{}, kept: &kept{}})
	if err != nil {
		return nil, err
	}
	return &Contents{
		Payload: p, Config: rd.config, Size: rd.size, References: found.references,
		Manifests: found.kept.manifests, Others: found.kept.others,
	}, nil
}

// kept are the payload files besides the two that all releases have.
type kept struct {
	manifests map[string][]byte
	others    map[string][]byte
	size      int
}

func (k *kept) clone() *kept {
	if k == nil {
		return nil
	}
	return &kept{maps.Clone(k.manifests), maps.Clone(k.others), k.size}
}

func (k *kept) add(name string, content []byte) error {
	if k == nil {
		return nil
	}
	if k.size += len(content); k.size > maxKept {
		return fmt.Errorf("%w: the payload has files of more than %d bytes", rootfs.ErrLimit, maxKept)
	}
	if k.manifests == nil {
		k.manifests, k.others = map[string][]byte{}, map[string][]byte{}
	}
	if isManifest(name) {
		k.manifests[name] = content
	} else {
		k.others[name] = content
	}
	return nil
}

func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

// Text returns all files one after the other, each below a comment with its
// name: the two that all releases have, then the manifests in the order of
// their names (oc.md 14, --contents).
func (c *Contents) Text() string {
	var b strings.Builder
	add := func(name string, content []byte) {
		fmt.Fprintf(&b, "# %s\n%s", name, content)
		if len(content) > 0 && content[len(content)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	add(imageReferences, c.References)
	if c.Metadata.Raw != nil {
		add(releaseMetadata, c.Metadata.Raw)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Manifests)) {
		add(name, c.Manifests[name])
	}
	return b.String()
}

// File returns one file of the payload by its base name, as it is.
func (c *Contents) File(name string) (content []byte, ok bool) {
	switch name {
	case imageReferences:
		return c.References, true
	case releaseMetadata:
		return c.Metadata.Raw, c.Metadata.Raw != nil
	}
	if content, ok = c.Manifests[name]; ok {
		return content, true
	}
	content, ok = c.Others[name]
	return content, ok
}
