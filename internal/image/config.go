package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Config is what an image says of itself (OCI image-spec, config.md; Docker's
// schema 2 has the same fields).
type Config struct {
	Created  time.Time // zero where the image does not say
	Author   string
	Platform oci.Platform
	Run      *Run // nil where the image says nothing of how it is run

	all map[string]any // every field, for JSON
}

// Run says how a container is started from the image.
type Run struct {
	User         string              `json:"User"`
	WorkingDir   string              `json:"WorkingDir"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Cmd          []string            `json:"Cmd"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Volumes      map[string]struct{} `json:"Volumes"`
	Labels       map[string]string   `json:"Labels"`
}

// ParseConfig reads the content of a config blob.
func ParseConfig(body []byte) (*Config, error) {
	var w struct {
		Created *time.Time `json:"created"`
		Author  string     `json:"author"`
		oci.Platform
		Config *Run `json:"config"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("unable to parse image configuration: %w", err)
	}
	c := &Config{Author: w.Author, Platform: w.Platform, Run: w.Config}
	if w.Created != nil {
		c.Created = *w.Created
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&c.all); err != nil {
		return nil, fmt.Errorf("unable to parse image configuration: %w", err)
	}
	return c, nil
}

// JSON returns the config for JSON as oc prints it (oc.md 14): everything that
// the image says, besides the size of its layers in bytes, and the fields that
// oc always has.
func (c *Config) JSON(size int64) map[string]any {
	if c == nil {
		return nil
	}
	out := map[string]any{"id": "", "container_config": map[string]any{}, "created": time.Time{}}
	maps.Copy(out, c.all)
	if size > 0 {
		out["size"] = size
	}
	return out
}
