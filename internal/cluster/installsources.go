package cluster

import (
	"regexp"
	"slices"
	"strings"
)

// InstallSources are the rules that an install-config.yaml can have, one for
// each source, with the mirrors of all rules for it. left names what such a
// file cannot say, one sentence a rule: rules for tags, whole domains, and that
// a source is never to be asked.
func (m MirrorRules) InstallSources() (sources []MirrorSource, left []string) {
	tell := func(sentence string) {
		if !slices.Contains(left, sentence) {
			left = append(left, sentence)
		}
	}
	for _, r := range m.rules {
		switch {
		case r.tags:
			tell("mirrors of " + r.source + " for tags: apply the ImageTagMirrorSet when the cluster runs")
		case strings.HasPrefix(r.source, "*"):
			tell("mirrors of " + r.source + ", since only single registries and repositories may be named")
		case len(r.mirrors) > 0:
			if r.never {
				tell("that " + r.source + " is never to be asked: apply the ImageDigestMirrorSet when the cluster runs")
			}
			sources = addSource(sources, r)
		}
	}
	return sources, left
}

func addSource(sources []MirrorSource, r mirrorRule) []MirrorSource {
	i := slices.IndexFunc(sources, func(s MirrorSource) bool { return s.Source == r.source })
	if i < 0 {
		i = len(sources)
		sources = append(sources, MirrorSource{Source: r.source})
	}
	for _, name := range r.mirrors {
		if !slices.Contains(sources[i].Mirrors, name) {
			sources[i].Mirrors = append(sources[i].Mirrors, name)
		}
	}
	return sources
}

// releaseMarks are where our own texts say which release mirrors are for: the
// directory and the name of the objects that "adm release mirror" writes, and
// what it prints (oc.md 12.4).
var releaseMarks = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^Update image: +\S+:([0-9]+\.[0-9]+\.[0-9]+)[^/\s]*\s*$`),
	regexp.MustCompile(`(?m)^ +name: mirror-([0-9]+\.[0-9]+\.[0-9]+)`),
}

var releaseDirectory = regexp.MustCompile(`(?:^|[/\\])mirror-([0-9]+\.[0-9]+\.[0-9]+)[^/\\]*(?:[/\\]|$)`)

// ReleaseOf returns the version of the release that a file with mirrors is
// for, without its pre-release part; "" where neither its path nor its content
// says.
func ReleaseOf(path string, content []byte) string {
	if m := releaseDirectory.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	for _, mark := range releaseMarks {
		if m := mark.FindSubmatch(content); m != nil {
			return string(m[1])
		}
	}
	return ""
}
