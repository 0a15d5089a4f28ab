package oci

import (
	"fmt"
	"regexp"
)

// Grammar of the distribution specification (spec.md, Pulling manifests).
var (
	namePattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// MaxNameLength is the longest repository name accepted anywhere, in bytes.
const MaxNameLength = 255

// CheckName returns an error that matches ErrNameInvalid unless name is a
// repository name.
func CheckName(name string) error {
	if len(name) > MaxNameLength || !namePattern.MatchString(name) {
		return ErrNameInvalid.With(fmt.Sprintf("%.300q is not a repository name", name))
	}
	return nil
}

// CheckTag returns an error that matches ErrTagInvalid unless tag is a tag.
func CheckTag(tag string) error {
	if !tagPattern.MatchString(tag) {
		return ErrTagInvalid.With(fmt.Sprintf("%.150q is not a tag", tag))
	}
	return nil
}
