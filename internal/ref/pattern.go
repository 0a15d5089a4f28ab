package ref

import (
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Pattern is what a source argument names: one image, or all the tags of a
// repository that match a glob (oc.md 4.3). It is comparable.
type Pattern struct {
	// Ref is the image, or, with a Glob, the repository alone.
	Ref Ref
	// Glob selects tags: the whole tag must match, * stands for any run of
	// characters, also none, and no other character is special. "" is no glob.
	Glob string
}

// ParsePattern reads a reference whose tag may have wildcards. One with
// neither tag nor digest means all tags. The error is a *ParseError.
func ParsePattern(s string) (Pattern, error) {
	base, glob, err := cutGlob(s)
	if err != nil {
		return Pattern{}, err
	}
	r, err := Parse(base)
	if err != nil {
		return Pattern{}, err
	}
	if err := r.RequireRepository(); err != nil {
		return Pattern{}, err
	}
	if glob == "" && r.Tag == "" && r.Digest.IsZero() {
		glob = "*"
	}
	return Pattern{Ref: r, Glob: glob}, nil
}

// cutGlob takes a tag with wildcards off a reference.
func cutGlob(s string) (base, glob string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, '/') || !strings.Contains(s[i:], "*") {
		return s, "", nil
	}
	base, glob = s[:i], s[i+1:]
	// Each * may stand for nothing, and is an ordinary character then.
	if oci.CheckTag("x"+strings.ReplaceAll(glob, "*", "")) != nil {
		return "", "", fail(s, "%q is not a tag, and only * is a wildcard", glob)
	}
	if r, err := Parse(base); err == nil && r != r.Repository() {
		return "", "", fail(s, "it has two tags")
	}
	return base, glob, nil
}

// IsGlob reports whether p stands for any number of tags.
func (p Pattern) IsGlob() bool { return p.Glob != "" }

// String returns what the user would write.
func (p Pattern) String() string {
	if p.IsGlob() {
		return p.Ref.String() + ":" + p.Glob
	}
	return p.Ref.String()
}

// Match reports whether a tag is selected by the glob.
func (p Pattern) Match(tag string) bool { return matchGlob(p.Glob, tag) }

func matchGlob(glob, s string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		// The leftmost place is as good as any: what is left is longest then.
		_, after, found := strings.Cut(rest, part)
		rest, ok = after, ok && found
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}
