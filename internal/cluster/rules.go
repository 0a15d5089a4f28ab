package cluster

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// MirrorRules say where images are found besides their own repository, as a
// cluster's mirror sets do (oc.md 16). The zero value has no rules.
type MirrorRules struct{ rules []mirrorRule }

// mirrorRule is one source of a mirror set, in the form that names are matched in.
type mirrorRule struct {
	source  string   // host, host/path, or *.domain with or without a path
	mirrors []string // host or host/path, as written
	tags    bool     // of an ImageTagMirrorSet: for tags, and not for digests
	never   bool     // NeverContactSource
}

// Candidates returns where an image is to be looked for, best first: the
// mirrors of all rules that fit, in their order, and last the image as it was
// named, which is left out where a rule says NeverContactSource and has mirrors. Rules
// for digests are for images by digest, rules for tags for images by tag.
// Images in directories have no mirrors.
func (m MirrorRules) Candidates(image ref.Ref) []ref.Ref {
	c := candidates{image: image, seen: map[ref.Ref]bool{}}
	for _, rule := range m.rules {
		if rest, ok := rule.match(image); ok && rule.tags == image.Digest.IsZero() {
			c.mirrors(rule, rest)
		}
	}
	if !c.never {
		c.add(image)
	}
	return c.out
}

// OnlyByDigest reports whether there are rules for the image's repository, but
// none for a tag, which the image was named by. oc warns of it.
func (m MirrorRules) OnlyByDigest(image ref.Ref) bool {
	if !image.Digest.IsZero() {
		return false
	}
	found := false
	for _, rule := range m.rules {
		if _, ok := rule.match(image); ok {
			if rule.tags {
				return false
			}
			found = true
		}
	}
	return found
}

// candidates gathers places for one image, each once.
type candidates struct {
	image ref.Ref
	out   []ref.Ref
	seen  map[ref.Ref]bool
	never bool
}

func (c *candidates) mirrors(rule mirrorRule, rest string) {
	for _, mirror := range rule.mirrors {
		at, err := ref.Parse(mirror + rest)
		if err != nil || at.Path == "" {
			continue // a mirror that is a host alone, for a source that names the whole repository
		}
		at.Tag, at.Digest = c.image.Tag, c.image.Digest
		c.add(at)
		c.never = c.never || rule.never
	}
}

func (c *candidates) add(at ref.Ref) {
	if key := at.Canonical(); !c.seen[key] {
		c.seen[key] = true
		c.out = append(c.out, at)
	}
}

// match reports whether the rule is for the image's repository, and returns
// what comes after the source in the repository's name.
func (r mirrorRule) match(image ref.Ref) (rest string, ok bool) {
	if image.Scheme != ref.Registry {
		return "", false
	}
	at := image.Canonical()
	if domain, wild := strings.CutPrefix(r.source, "*"); wild {
		return matchDomain(domain, at)
	}
	return cutSource(at.Host+"/"+at.Path, r.source)
}

// matchDomain matches ".example.com/path" with any host below the domain, on
// any port, as the nodes' runtime does.
func matchDomain(domain string, at ref.Ref) (rest string, ok bool) {
	domain, path, _ := strings.Cut(domain, "/")
	host := at.Host
	if !strings.Contains(domain, ":") {
		host, _, _ = strings.Cut(host, ":")
	}
	if !strings.HasSuffix(host, domain) {
		return "", false
	}
	return cutSource("/"+at.Path, strings.TrimSuffix("/"+path, "/"))
}

// cutSource cuts a source off a name if it ends there at a slash.
func cutSource(name, source string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, source)
	return rest, ok && (rest == "" || strings.HasPrefix(rest, "/"))
}

// probe stands for a repository below a source or mirror, so that a registry
// alone ("mirror:5000") is not taken for an image with a tag.
const probe = "/x/x"

// newMirrorRule checks the parts of a rule as they were written.
func newMirrorRule(w wireRule, tags bool) (mirrorRule, error) {
	r := mirrorRule{tags: tags}
	var err error
	if r.source, err = parseSource(w.Source); err != nil {
		return r, err
	}
	if len(w.Mirrors) > maxMirrors {
		return r, fmt.Errorf("source %s has %d mirrors, more than %d", w.Source, len(w.Mirrors), maxMirrors)
	}
	for _, mirror := range w.Mirrors {
		if _, err := parsePrefix(mirror); err != nil {
			return r, fmt.Errorf("mirror of %s: %w", w.Source, err)
		}
		r.mirrors = append(r.mirrors, mirror)
	}
	switch w.Policy {
	case "", "AllowContactingSource":
	case "NeverContactSource":
		r.never = true
	default:
		return r, fmt.Errorf("source %s: mirrorSourcePolicy must be NeverContactSource or AllowContactingSource, not %.100q", w.Source, w.Policy)
	}
	return r, nil
}

// parseSource reads a source and returns it in the form to match with.
func parseSource(s string) (string, error) {
	domain, wild := strings.CutPrefix(s, "*.")
	at, err := parsePrefix(domain)
	if err != nil {
		return "", fmt.Errorf("source: %w", err)
	}
	source := strings.TrimSuffix(at.Host+"/"+at.Path, probe)
	if wild {
		source = "*." + source
	}
	return source, nil
}

// parsePrefix reads a registry, or a repository or what repositories' names
// begin with, without tag and digest. The result has probe at its end.
func parsePrefix(s string) (ref.Ref, error) {
	if s == "" || strings.Contains(s, "://") {
		return ref.Ref{}, fmt.Errorf("%.300q is not a registry or repository", s)
	}
	at, err := ref.Parse(s + probe)
	if err != nil {
		return ref.Ref{}, fmt.Errorf("%.300q is not a registry or repository without tag and digest", hideLogin(s))
	}
	return at.Canonical(), nil
}

// hideLogin cuts a user and password off, which some write before a host.
func hideLogin(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "***" + s[i:]
	}
	return s
}
