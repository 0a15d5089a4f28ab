package samples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// format is the version of a record that we write. A higher one is refused.
const format = 1

// Repository is the place of all samples on a medium, as file://openshift/samples.
const Repository = "openshift/samples"

// Record says which images are on a medium. It stands in the file of the config
// map there, as a section of its own.
type Record struct {
	Format int `json:"format"`
	// Digests are those of the images on the medium, by their names.
	Digests map[string]oci.Digest `json:"digests"`
	// Check is the digest of the map's data and the digests.
	Check oci.Digest `json:"check"`
}

// RecordError says that the file of a medium is not as it was written.
type RecordError struct{ Why string }

// Error implements error.
func (e *RecordError) Error() string { return e.Why }

// FormatError says that a newer program has written the file.
type FormatError struct{ Format int }

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("it has the format %d, and this program knows only %d", e.Format, format)
}

func (r *Record) verify(data map[string]string) error {
	if r.Format != format {
		return &FormatError{r.Format}
	}
	if r.check(data) != r.Check {
		return &RecordError{"its check sum is not right: it has been changed or damaged"}
	}
	return nil
}

// check hashes what the record vouches for. JSON has maps in order.
func (r *Record) check(data map[string]string) oci.Digest {
	text, err := json.Marshal([]any{r.Format, data, r.Digests})
	if err != nil {
		panic(err) // strings can always be written
	}
	return oci.FromBytes(text)
}

// Recorded returns the digest of an image on the medium.
func (c *ConfigMap) Recorded(image string) (oci.Digest, bool) {
	if c.Record == nil {
		return oci.Digest{}, false
	}
	d, ok := c.Record.Digests[image]
	return d, ok
}

// Take makes the record of other files of the same medium this map's own, for a
// map that came from a cluster. What it has itself stays.
func (c *ConfigMap) Take(other *ConfigMap) {
	if other.Record == nil {
		return
	}
	digests := map[string]oci.Digest{}
	for _, from := range []*Record{other.Record, c.Record} {
		if from != nil {
			maps.Copy(digests, from.Digests)
		}
	}
	c.Record = &Record{Format: format, Digests: digests}
}

// Put notes what has been copied to the medium.
func (c *ConfigMap) Put(digests map[string]oci.Digest) {
	c.Take(&ConfigMap{Record: &Record{}})
	maps.Copy(c.Record.Digests, digests)
}

// Encode writes the file of a medium: the config map, with its record, which
// names no image that the map has not.
func (c *ConfigMap) Encode() []byte {
	named := map[string]bool{}
	for _, image := range c.data {
		named[image] = true
	}
	r := Record{Format: format, Digests: map[string]oci.Digest{}}
	if c.Record != nil {
		for name, d := range c.Record.Digests {
			if named[name] {
				r.Digests[name] = d
			}
		}
	}
	r.Check = r.check(c.data)
	w := wireMap{APIVersion: "v1", Kind: "ConfigMap", Metadata: wireMetadata{Name: mapName, Namespace: mapNamespace}, Data: c.data, Record: &r}
	if c.Version != "" {
		w.Metadata.Annotations = map[string]string{versionAnnotation: c.Version}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		panic(err) // strings can always be written
	}
	return b.Bytes()
}

// fileName is the form of names that FileName returns.
var fileName = regexp.MustCompile(`^samples(-[0-9A-Za-z][0-9A-Za-z.-]{0,100})?\.json$`)

// FileName is the name of the map's file on a medium: samples-4.14.3.json, or
// samples.json where the version is not known.
func (c *ConfigMap) FileName() string {
	if name := "samples-" + c.Version + ".json"; fileName.MatchString(name) {
		return name
	}
	return "samples.json"
}

// FileNames returns those of a directory's files that have the name of such a
// file, in order.
func FileNames(names []string) []string {
	out := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !fileName.MatchString(name) || strings.Contains(name, "..") })
	slices.Sort(out)
	return out
}
