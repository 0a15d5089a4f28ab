package mirror

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	img "github.com/airbridge-dev/airbridge/internal/image"
)

// step is an entry of an image's history.
type step struct {
	text  string // what was done, "" where it does not say
	layer bool   // that made a layer
}

// layerSteps returns the steps that made each layer: those since the layer
// below it, because a step that makes no layer alone may be part of the next. It
// is none where the history does not tell.
func layerSteps(im *img.Image) [][]step {
	var out [][]step
	var steps []step
	history, _ := im.Config.JSON(0)["history"].([]any)
	for _, h := range history {
		entry, _ := h.(map[string]any)
		text, _ := entry["created_by"].(string)
		empty, _ := entry["empty_layer"].(bool)
		steps = append(steps, step{strings.TrimSpace(text), !empty})
		if !empty {
			out = append(out, steps)
			steps = nil
		}
	}
	if len(out) != len(im.Layers) {
		return make([][]step, len(im.Layers))
	}
	return out
}

// layerWrites returns the paths that each layer was written to, nil where the
// history does not prove that these are all.
func layerWrites(im *img.Image) [][]string {
	steps := layerSteps(im)
	out := make([][]string, len(steps))
	for i := range steps {
		out[i] = writes(steps[i])
	}
	return out
}

// writes returns the paths that steps wrote to, nil where one does not tell.
func writes(steps []step) []string {
	if len(steps) == 0 {
		return nil
	}
	out := []string{}
	for _, s := range steps {
		to, known := s.writes()
		if !known {
			return nil
		}
		out = append(out, to...)
	}
	return out
}

// The forms of steps whose effect is known. Docker's classic builder and buildah
// write "/bin/sh -c #(nop)" before what no shell runs, and what they copied by
// its digest; BuildKit ends with its name, and writes destinations as they are
// after variables were put in. Others write the line of the Dockerfile, of which
// a layer may have more than its own step: kaniko takes one for many. So does
// who squashes an image: that step says nothing.
//
// What is added may be an archive, and what is copied by a pattern or from
// several places may be copied over itself, by way of a link. A path with an
// unusual letter may be one that was quoted, or is yet to be expanded.
var (
	setting      = regexp.MustCompile(`^(ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\b`)
	classicCopy  = regexp.MustCompile(`^(?:COPY(?: --link)? (?:--\S+?)?(?:file|dir)|ADD(?: --link)? (?:--\S+?)?dir):[0-9a-f]+ in (\S+)(?: +\|(?:clamp|force)-mtime=\d+)?$`)
	buildkitCopy = regexp.MustCompile(`^COPY(?: --\S+)* [\w./@:+<-]+ (\S+) # buildkit$`)
	plainPath    = regexp.MustCompile(`^(/[\w.@:+-]+)+/?$`)
)

const classicStep = "/bin/sh -c #(nop) "

// writes returns the paths that a step wrote to, false where that is not known.
// One that makes a directory at most writes nothing.
func (s step) writes() ([]string, bool) {
	classic, isClassic := strings.CutPrefix(s.text, classicStep)
	classic = strings.TrimLeft(classic, " ")
	if isClassic && setting.MatchString(classic) || !s.layer && setting.MatchString(s.text) {
		return nil, true
	}
	if found := classicCopy.FindStringSubmatch(classic); isClassic && found != nil {
		return plain(found[1])
	}
	if found := buildkitCopy.FindStringSubmatch(s.text); found != nil {
		return plain(found[1])
	}
	return plain(s.cache())
}

// plain returns a path alone if it says where it is: from the root, with nothing
// in it that stands for something else.
func plain(path string) ([]string, bool) {
	known := plainPath.MatchString(path) && !slices.Contains(strings.Split(path, "/"), "..")
	return []string{path}, known
}

// cache returns the directory in which opm computes something of a catalog (opm's
// own Dockerfile, in both forms that RUN has), "" if that is not all that is done.
func (s step) cache() string {
	text := strings.TrimPrefix(strings.TrimSuffix(s.text, " # buildkit"), "RUN ")
	text = strings.TrimPrefix(text, "/bin/sh -c ")
	words := strings.Split(text, " ")
	if strings.HasPrefix(text, "[") && json.Unmarshal([]byte(text), &words) != nil {
		return ""
	}
	if len(words) != 5 || words[0] != "/bin/opm" && words[0] != "opm" || words[1] != "serve" || !plainPath.MatchString(words[2]) || words[4] != "--cache-only" {
		return ""
	}
	dir, ok := strings.CutPrefix(words[3], "--cache-dir=")
	if !ok {
		return ""
	}
	return dir
}
