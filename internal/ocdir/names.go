package ocdir

import (
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

const (
	top          = "v2"
	blobsDir     = "blobs"
	manifestsDir = "manifests"
)

// separators are what stands in a file name for the colon of a digest, likely
// ones first: oc's own, oc's on Windows, what zip programs make of a colon
// they cannot store, and what ntfs-3g, Cygwin and WSL make of it.
var separators = []string{":", "-", "_", "\uf03a"}

// parseName reads the digest that a file is named by, and says which separator
// the name has.
func parseName(name string) (d oci.Digest, sep string, ok bool) {
	for _, alg := range []string{oci.SHA256, oci.SHA512} {
		rest, found := strings.CutPrefix(name, alg)
		if !found {
			continue
		}
		for _, sep := range separators {
			if enc, found := strings.CutPrefix(rest, sep); found {
				d, err := oci.ParseDigest(alg + ":" + enc)
				return d, sep, err == nil
			}
		}
	}
	return oci.Digest{}, "", false
}

// parseLink reads the text of a tag's link, or of the file that it became: the
// name of a manifest file, which a copying program may have put a path before.
// fuseiso puts a slash into texts that a disc has in two parts.
func parseLink(text string) (oci.Digest, bool) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	base := text[strings.LastIndexAny(text, `/\`)+1:]
	if d, _, ok := parseName(base); ok {
		return d, true
	}
	d, _, ok := parseName(strings.ReplaceAll(text, "/", ""))
	return d, ok
}

// isTag reports whether an entry of manifests/ can be a tag. What ends in
// .download is a link that oc was making when it was stopped.
func isTag(name string) bool {
	return oci.CheckTag(name) == nil && !strings.HasSuffix(name, ".download")
}

func fileName(d oci.Digest, sep string) string { return d.Algorithm() + sep + d.Hex() }

func blobsPath(repository string) string     { return top + "/" + repository + "/" + blobsDir }
func manifestsPath(repository string) string { return top + "/" + repository + "/" + manifestsDir }
