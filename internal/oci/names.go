package oci

import (
	"fmt"
	"strings"
)

// MaxNameLength is the longest repository name accepted anywhere, in bytes.
const MaxNameLength = 255

// maxTagLength is the longest tag, in bytes (spec.md, Pulling manifests).
const maxTagLength = 128

// CheckName returns an error that matches ErrNameInvalid unless name is a
// repository name (spec.md, Pulling manifests): parts between slashes, each of
// words of a-z and 0-9 with '.', '_', '__' or any number of '-' between two.
// It is read by hand because every request to a server comes through here.
func CheckName(name string) error {
	ok := len(name) <= MaxNameLength
	for part := range strings.SplitSeq(name, "/") {
		ok = ok && isNamePart(part)
	}
	if !ok {
		return ErrNameInvalid.With(fmt.Sprintf("%.300q is not a repository name", name))
	}
	return nil
}

func isNamePart(part string) bool {
	for {
		rest := strings.TrimLeft(part, "abcdefghijklmnopqrstuvwxyz0123456789")
		if rest == part {
			return false // a word is missing
		}
		if rest == "" {
			return true
		}
		n := separatorLen(rest)
		if n == 0 {
			return false
		}
		part = rest[n:]
	}
}

// separatorLen returns the length of what separates two words at the start of
// s, 0 if nothing does.
func separatorLen(s string) int {
	switch {
	case s[0] == '.':
		return 1
	case strings.HasPrefix(s, "__"):
		return 2
	case s[0] == '_':
		return 1
	}
	return len(s) - len(strings.TrimLeft(s, "-"))
}

// CheckTag returns an error that matches ErrTagInvalid unless tag is a tag
// (spec.md, Pulling manifests).
func CheckTag(tag string) error {
	ok := tag != "" && len(tag) <= maxTagLength && tag[0] != '.' && tag[0] != '-'
	for i := 0; ok && i < len(tag); i++ {
		ok = isTagByte(tag[i])
	}
	if !ok {
		return ErrTagInvalid.With(fmt.Sprintf("%.150q is not a tag", tag))
	}
	return nil
}

func isTagByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'
}
