// Package ref has image references as values: what the user wrote is parsed
// once, at the edge, and never as text again. The grammar is that of the oc
// commands (oc.md 4.1 and 4.2), which is the one Docker made classic, with the
// schemes file:// and s3:// before it. Nothing here touches disk or network.
package ref

import (
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Scheme says what kind of place a reference names.
type Scheme int

// The schemes of the oc commands (oc.md 4.1).
const (
	Registry Scheme = iota // host/path, also written docker://host/path
	File                   // file://path: a repository under --dir
	S3                     // s3://host/region/bucket/path
)

// Docker's defaults for a reference without a registry, a tag or, on Docker
// Hub, a first path element (oc.md 4.2).
const (
	DefaultHost = "docker.io"
	DefaultTag  = "latest"
	library     = "library/"
)

// Ref is a parsed reference: comparable, printable, safe to use as a map key.
type Ref struct {
	Scheme Scheme
	// Host is the registry as written, with its port; "" where none was, and
	// for file references always, because oc keeps what looks like a host out
	// of the path on disk only to print it again: see Label.
	Host string
	// Path is the repository's name below the host or directory.
	Path   string
	Tag    string
	Digest oci.Digest
	// Label is the part of a file reference that looks like a host: printed,
	// but not part of the path on disk (oc.md 4.2).
	Label string
}

// IsZero reports whether r is the zero Ref, which names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String returns what the user would write. With both a tag and a digest it
// shows the digest alone, as oc prints; both stay readable as fields.
func (r Ref) String() string { return r.Scheme.prefix() + r.Name() }

// Name is String without the scheme: "openshift/release:4.14.3-x86_64" for
// file://openshift/release:4.14.3-x86_64, as oc's "Update image:" line has it.
func (r Ref) Name() string {
	switch {
	case !r.Digest.IsZero():
		return r.base() + "@" + r.Digest.String()
	case r.Tag != "":
		return r.base() + ":" + r.Tag
	}
	return r.base()
}

// base is the host or label and the path.
func (r Ref) base() string {
	host := r.Host + r.Label // never both
	if host == "" || r.Path == "" {
		return host + r.Path
	}
	return host + "/" + r.Path
}

func (s Scheme) prefix() string {
	switch s {
	case File:
		return "file://"
	case S3:
		return "s3://"
	}
	return ""
}

// Repository returns r without its tag and digest.
func (r Ref) Repository() Ref {
	r.Tag, r.Digest = "", oci.Digest{}
	return r
}

// WithTag returns the image of that tag in r's repository, without a digest.
func (r Ref) WithTag(tag string) Ref {
	r.Tag, r.Digest = tag, oci.Digest{}
	return r
}

// WithDigest returns the image of that digest in r's repository, without a tag.
func (r Ref) WithDigest(d oci.Digest) Ref {
	r.Tag, r.Digest = "", d
	return r
}

// WithPath returns r with another repository of the same registry or directory.
func (r Ref) WithPath(path string) Ref {
	r.Path = path
	return r
}

// WithDefaultTag returns r with the tag "latest" where it has neither tag nor
// digest.
func (r Ref) WithDefaultTag() Ref {
	if r.Tag == "" && r.Digest.IsZero() {
		r.Tag = DefaultTag
	}
	return r
}

// Canonical returns the form in which references to the same thing are equal:
// Docker Hub and its library/ written out, the host in lower case, the label of
// a file reference, which is not part of its place, left out.
func (r Ref) Canonical() Ref {
	r.Label = ""
	if r.Scheme != Registry {
		return r
	}
	r.Host = strings.ToLower(r.Host)
	if r.Host == "" || r.Host == "index."+DefaultHost {
		r.Host = DefaultHost
	}
	if r.Host == DefaultHost && r.Path != "" && !strings.Contains(r.Path, "/") {
		r.Path = library + r.Path
	}
	return r
}

// MaybeHost reports whether r, written "mirror:5000", was read as an image of
// Docker Hub with a number for its tag, but may well be a registry without a
// repository: a name without dots, and a port. Small numbers stay tags, because
// redis:7 is an image. The host is returned with its port.
func (r Ref) MaybeHost() (string, bool) {
	if r.Scheme != Registry || r.Host != "" || strings.Contains(r.Path, "/") || !r.Digest.IsZero() {
		return "", false
	}
	port, ok := portNumber(r.Tag)
	if !ok || (port < 1024 && port != 80 && port != 443) {
		return "", false
	}
	return r.Path + ":" + r.Tag, true
}

// RequireRepository returns a *ParseError unless r names a repository. It also
// refuses what MaybeHost finds doubtful, where oc goes to Docker Hub instead.
func (r Ref) RequireRepository() error {
	if r.Path == "" {
		return &ParseError{
			Input: r.String(), Reason: "it names a registry, but no repository",
			Advice: "add a repository: " + r.String() + "/REPOSITORY",
		}
	}
	host, doubtful := r.MaybeHost()
	if !doubtful {
		return nil
	}
	return &ParseError{
		Input: host, Reason: "it looks like a registry with its port, but no repository",
		Advice: "for a repository of that registry write " + host + "/REPOSITORY, for the image on Docker Hub " +
			r.Canonical().String(),
	}
}
