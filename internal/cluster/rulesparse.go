package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// Limits of a file with mirror rules. A cluster takes objects of a megabyte.
const (
	maxMirrorFile = 8 << 20 // bytes
	maxDocuments  = 1000
	maxRules      = 10000
	maxMirrors    = 100 // of one source
	maxListDepth  = 3   // lists of lists of objects
)

// ErrNoMirrorRules is the error of a file in which no mirrors are named.
var ErrNoMirrorRules = errors.New("it has no mirrors: neither an ImageContentSourcePolicy, ImageDigestMirrorSet or ImageTagMirrorSet, nor imageContentSources or imageDigestSources")

// ParseMirrors reads mirror rules in any form in which people have them:
// ImageContentSourcePolicy, ImageDigestMirrorSet and ImageTagMirrorSet objects,
// in several YAML documents or a List, an install-config.yaml or its section
// alone, and what "adm release mirror" printed, with the text around. Other
// objects are passed over. name is the file's, for errors, which do not quote
// content: an install-config.yaml has secrets. A file without any rule is
// ErrNoMirrorRules.
func ParseMirrors(name string, content []byte) (MirrorRules, error) {
	p := mirrorParser{}
	err := p.file(content)
	if err == nil && len(p.rules) == 0 {
		err = ErrNoMirrorRules
	}
	if err == nil {
		err = checkPolicies(p.rules)
	}
	if err != nil {
		return MirrorRules{}, fmt.Errorf("%s: %w", name, err)
	}
	return MirrorRules(p), nil
}

// checkPolicies refuses two policies for one source (oc.md 16).
func checkPolicies(rules []mirrorRule) error {
	type key struct {
		source string
		tags   bool
	}
	seen := map[key]bool{}
	for _, r := range rules {
		k := key{r.source, r.tags}
		if never, known := seen[k]; known && never != r.never {
			return fmt.Errorf("source %s is given two different values of mirrorSourcePolicy", r.source)
		}
		seen[k] = r.never
	}
	return nil
}

// wireRule is one source of a mirror set.
type wireRule struct {
	Source  string   `json:"source"`
	Mirrors []string `json:"mirrors"`
	Policy  string   `json:"mirrorSourcePolicy"`
}

// wireSets are the fields that have rules, of a spec and, where somebody
// copied no more, of a whole document.
type wireSets struct {
	RepositoryDigestMirrors []wireRule `json:"repositoryDigestMirrors"`
	ImageDigestMirrors      []wireRule `json:"imageDigestMirrors"`
	ImageTagMirrors         []wireRule `json:"imageTagMirrors"`
}

// wireDocument is an object, an install config, or a section of either.
type wireDocument struct {
	wireSets
	ImageContentSources []wireRule     `json:"imageContentSources"`
	ImageDigestSources  []wireRule     `json:"imageDigestSources"`
	Spec                wireSpec       `json:"spec"`
	Items               []wireDocument `json:"items"` // of a List
}

// wireSpec is the spec of a mirror set. That of any other object may have any
// shape, and has no rules then.
type wireSpec struct{ wireSets }

// UnmarshalJSON implements json.Unmarshaler.
func (s *wireSpec) UnmarshalJSON(body []byte) error {
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '{' {
		return nil
	}
	return json.Unmarshal(body, &s.wireSets)
}

type mirrorParser struct{ rules []mirrorRule }

func (p *mirrorParser) file(content []byte) error {
	if len(content) > maxMirrorFile {
		return fmt.Errorf("it has %d bytes, more than %d", len(content), maxMirrorFile)
	}
	documents := 0
	for doc := range yamldoc.Split(content) {
		if documents++; documents > maxDocuments {
			return fmt.Errorf("it has more than %d documents", maxDocuments)
		}
		if err := p.document(bytes.ReplaceAll(doc.Text, []byte("\r\n"), []byte("\n")), doc.Line); err != nil {
			return err
		}
	}
	return nil
}

// document reads a YAML document, or text with YAML in it, that begins after
// so many lines of the file.
func (p *mirrorParser) document(doc []byte, line int) error {
	before := len(p.rules)
	err := p.yaml(doc)
	if err == nil && len(p.rules) > before {
		return nil
	}
	ruleErr, isRule := errors.AsType[*ruleError](err)
	if isRule {
		return ruleErr
	}
	blocks := findBlocks(doc)
	for _, block := range blocks {
		if err := p.yaml(block.text); err != nil {
			return located(block.text, line+block.line, err)
		}
	}
	if err != nil && len(blocks) == 0 && !isProse(doc) {
		return located(doc, line, err)
	}
	return nil
}

// isProse reports whether no line could be YAML with rules in it.
func isProse(doc []byte) bool { return !bytes.Contains(doc, []byte("irrors:")) }

// ruleError is YAML in order with a rule that is not.
type ruleError struct{ err error }

func (e *ruleError) Error() string { return e.err.Error() }
func (e *ruleError) Unwrap() error { return e.err }

// located reads YAML that is wrong again, so that its error counts lines from
// the beginning of the file.
func located(text []byte, line int, err error) error {
	if _, ok := errors.AsType[*ruleError](err); ok {
		return err
	}
	padded := append(bytes.Repeat([]byte("\n"), line), text...)
	var w wireDocument
	if again := yaml.Unmarshal(padded, &w); again != nil {
		err = again
	}
	return fmt.Errorf("not valid YAML: %s", yamldoc.Fault(err))
}

// yaml adds the rules of one YAML document.
func (p *mirrorParser) yaml(text []byte) error {
	var list []wireRule
	if trimmed := bytes.TrimLeft(text, "-\n "); bytes.HasPrefix(trimmed, []byte("mirrors:")) || bytes.HasPrefix(trimmed, []byte("source:")) {
		if yaml.Unmarshal(text, &list) == nil {
			return p.add(list, false)
		}
	}
	var w wireDocument
	if err := yaml.Unmarshal(text, &w); err != nil {
		return err
	}
	return p.object(&w, 0)
}

func (p *mirrorParser) object(w *wireDocument, depth int) error {
	if depth > maxListDepth {
		return &ruleError{fmt.Errorf("its lists are nested more than %d deep", maxListDepth)}
	}
	for _, sets := range []wireSets{w.wireSets, w.Spec.wireSets} {
		if err := errors.Join(p.add(sets.RepositoryDigestMirrors, false), p.add(sets.ImageDigestMirrors, false), p.add(sets.ImageTagMirrors, true)); err != nil {
			return err
		}
	}
	if err := errors.Join(p.add(w.ImageContentSources, false), p.add(w.ImageDigestSources, false)); err != nil {
		return err
	}
	for i := range w.Items {
		if err := p.object(&w.Items[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (p *mirrorParser) add(rules []wireRule, tags bool) error {
	for _, w := range rules {
		r, err := newMirrorRule(w, tags)
		if err != nil {
			return &ruleError{err}
		}
		if len(p.rules) == maxRules {
			return &ruleError{fmt.Errorf("it has more than %d sources", maxRules)}
		}
		p.rules = append(p.rules, r)
	}
	return nil
}

// block is YAML found in a text.
type block struct {
	text []byte
	line int // lines before it
}

// topKey is a line that begins a field of an object or section with rules.
var topKey = regexp.MustCompile(`^(apiVersion|kind|metadata|spec|status|items|imageContentSources|imageDigestSources|repositoryDigestMirrors|imageDigestMirrors|imageTagMirrors):( |$)`)

// findBlocks finds YAML in what a program printed, by the fields that objects
// and sections with rules begin with. A field that comes again begins the next.
func findBlocks(text []byte) []block {
	var out []block
	var current *block
	keys := map[string]bool{}
	number := 0
	for line := range bytes.Lines(text) {
		match := topKey.FindSubmatch(bytes.TrimSuffix(line, []byte("\n")))
		switch {
		case match != nil:
			key := string(match[1])
			if current == nil || keys[key] {
				out = append(out, block{line: number})
				current = &out[len(out)-1]
				clear(keys)
			}
			keys[key] = true
			current.text = append(current.text, line...)
		case current != nil && continues(line):
			current.text = append(current.text, line...)
		default:
			current = nil
		}
		number++
	}
	return out
}

// continues reports whether a line may belong to the field above it.
func continues(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || bytes.HasPrefix(line, []byte(" ")) || bytes.HasPrefix(line, []byte("- ")) || string(text) == "-" || bytes.HasPrefix(line, []byte("#"))
}
