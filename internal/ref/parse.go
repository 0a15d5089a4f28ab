package ref

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// maxLength bounds a whole reference in bytes: the longest host (253 and a
// port), name (255), tag (128) and digest (135) together stay below it.
const maxLength = 1024

// hostPattern is a DNS name or an IPv4 address, or an IPv6 address in
// brackets; the port is cut off before. (Docker's reference grammar, domain.)
var hostPattern = regexp.MustCompile(
	`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])$`)

// Parse reads [docker://|file://[/]|s3://]NAME[:TAG][@DIGEST]. The error is a
// *ParseError. A name without slash that has a dot or is localhost is a
// registry without repository, as for oc; so look at RequireRepository
// wherever a repository is meant.
func Parse(s string) (Ref, error) {
	if err := checkText(s); err != nil {
		return Ref{}, err
	}
	scheme, rest, err := cutScheme(s)
	if err != nil {
		return Ref{}, err
	}
	r := Ref{Scheme: scheme}
	rest, digest, pinned := strings.Cut(rest, "@")
	if pinned {
		if r.Digest, err = oci.ParseDigest(digest); err != nil {
			return Ref{}, fail(s, "what follows the @ is not a sha256 or sha512 digest")
		}
	}
	if r, err = r.split(s, rest); err != nil {
		return Ref{}, err
	}
	if pinned && r.Path == "" {
		return Ref{}, fail(s, "it has a digest, but no repository")
	}
	return r, nil
}

// MustParse is Parse for literals; it panics on anything malformed.
func MustParse(s string) Ref {
	r, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return r
}

// checkText refuses what no reference has, in words that say so.
func checkText(s string) error {
	switch {
	case s == "":
		return fail(s, "it is empty")
	case len(s) > maxLength:
		return fail(s[:64]+"...", "it has %d characters, more than the %d allowed", len(s), maxLength)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fail(s, "it has control or invalid characters")
	case strings.ContainsFunc(s, unicode.IsSpace):
		return fail(s, "it has white space in it")
	}
	return nil
}

func cutScheme(s string) (Scheme, string, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return Registry, s, nil
	}
	switch scheme {
	case "docker":
		return Registry, rest, nil
	case "file":
		if strings.HasPrefix(rest, ".") {
			return 0, "", fail(s, "after file:// comes the name of a repository, not a path on the disk")
		}
		return File, strings.TrimPrefix(rest, "/"), nil
	case "s3":
		return S3, rest, nil
	case "http", "https":
		return 0, "", fail(s, "registries are written without %s://", scheme)
	}
	return 0, "", fail(s, "the scheme is none of docker://, file:// and s3://")
}

// split fills in host, path and tag from what is between scheme and digest.
// whole is the text for errors.
func (r Ref) split(whole, rest string) (Ref, error) {
	first, below, slash := strings.Cut(rest, "/")
	body, host := rest, ""
	switch {
	case slash && (looksLikeHost(first) || r.Scheme == S3):
		host, body = first, below
	case !slash && (isHostAlone(first) || r.Scheme == S3):
		host, body = first, ""
	}
	if host != "" || r.Scheme == S3 {
		if err := checkHost(whole, host); err != nil {
			return Ref{}, err
		}
	}
	if r.Scheme == File {
		r.Label = host
	} else {
		r.Host = host
	}
	if host != "" && !slash {
		return r, nil
	}
	return r.setName(whole, body)
}

// setName fills in path and tag.
func (r Ref) setName(whole, body string) (Ref, error) {
	path, tag, tagged := strings.Cut(body, ":")
	if err := checkPath(whole, path); err != nil {
		return Ref{}, err
	}
	if tagged {
		if err := checkTag(whole, tag); err != nil {
			return Ref{}, err
		}
	}
	r.Path, r.Tag = path, tag
	return r, nil
}

// looksLikeHost tells a registry from the first element of a path (oc.md 4.2).
func looksLikeHost(first string) bool {
	return strings.ContainsAny(first, ".:") || first == "localhost"
}

// isHostAlone tells a registry without repository from a name (oc.md 4.2):
// busybox:1.36 has its dot in the tag and is a name.
func isHostAlone(s string) bool {
	name, _, _ := strings.Cut(s, ":")
	return strings.Contains(name, ".") || name == "localhost" || strings.HasPrefix(s, "[")
}

func checkHost(whole, host string) error {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
		if _, ok := portNumber(port); !ok {
			return fail(whole, "%q is not the port of a registry", port)
		}
	}
	if len(name) > 253 || !hostPattern.MatchString(name) {
		return fail(whole, "%q is not the name of a registry", name)
	}
	return nil
}

func checkPath(whole, path string) error {
	switch {
	case path == "":
		return fail(whole, "the name of the repository is empty")
	case strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.Contains(path, "//"):
		return fail(whole, "an element of the path is empty")
	case strings.ContainsFunc(path, unicode.IsUpper):
		return fail(whole, "the name of a repository must be in lower case")
	case strings.Contains(path, "*"):
		return fail(whole, "a * is understood in the tag of a source only")
	case oci.CheckName(path) != nil:
		return fail(whole, "%q is not the name of a repository", path)
	}
	return nil
}

func checkTag(whole, tag string) error {
	switch {
	case tag == "":
		return fail(whole, "the tag is empty")
	case strings.Contains(tag, "*"):
		return fail(whole, "a * is understood in the tag of a source only")
	case oci.CheckTag(tag) != nil:
		return fail(whole, "%q is not a tag", tag)
	}
	return nil
}

// portNumber reads a TCP port, in digits without leading zeros.
func portNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0 && n < 1<<16 && strconv.Itoa(n) == s
}
