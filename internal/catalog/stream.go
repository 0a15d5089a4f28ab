package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
)

// parser takes one file apart.
type parser struct {
	limits
	file string
	pkg  string // of the last document
	left budget
	out  parsed
}

// parseFile reads the documents of a file. After a document that is broken it
// goes on with the next.
func (l limits) parseFile(name string, content []byte) parsed {
	p := &parser{limits: l, file: name, left: l.budgetFor(content)}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	for line := 1; len(content) > 0; {
		end := documentEnd(content)
		p.chunk(line, content[:end:end])
		line += bytes.Count(content[:end], []byte("\n"))
		content = content[end:]
	}
	return p.out
}

// documentEnd returns where the next document begins: at a line that begins with
// "---", which JSON cannot have. What comes before the first such line belongs
// to it if it is a directive of YAML.
func documentEnd(content []byte) int {
	directive := content[0] == '%'
	for at := 0; ; {
		n := bytes.Index(content[at:], []byte("\n---"))
		if n < 0 {
			return len(content)
		}
		at += n + 1
		if rest := content[at+3:]; len(rest) > 0 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])) {
			continue // a word that begins with dashes
		}
		if !directive {
			return at
		}
		directive = false
	}
}

// chunk reads what lies between two lines of "---".
func (p *parser) chunk(line int, content []byte) {
	at := skipMarker(content)
	if at == len(content) {
		return
	}
	if content[at] != '{' {
		p.yaml(line, content)
		return
	}
	start := line + bytes.Count(content[:at], []byte("\n"))
	p.json(start, content[at:])
}

// skipMarker returns where the content after the line of "---" begins.
func skipMarker(content []byte) int {
	at := 0
	if bytes.HasPrefix(content, []byte("---")) {
		at = 3
	}
	for at < len(content) && (content[at] == ' ' || content[at] == '\t' || content[at] == '\r' || content[at] == '\n') {
		at++
	}
	return at
}

// json reads a stream of JSON values. What begins like one and is none may be
// YAML, which has braces too.
func (p *parser) json(line int, content []byte) {
	for first := true; ; first = false {
		at := skipMarker(content)
		line += bytes.Count(content[:at], []byte("\n"))
		if content = content[at:]; len(content) == 0 {
			return
		}
		end := jsonEnd(content)
		if end == 0 || content[0] != '{' || !json.Valid(content[:end]) {
			if first && p.isYAML(content) {
				p.yaml(line, content)
				return
			}
			if end == 0 || content[0] != '{' {
				end = len(content)
			}
			p.brokenJSON(line, content[:end])
		} else {
			p.document(line, content[:end:end])
		}
		line += bytes.Count(content[:end], []byte("\n"))
		content = content[end:]
	}
}

func (p *parser) isYAML(content []byte) bool {
	return p.yamlStream(content, func(int, []byte) error { return nil }) == nil
}

// brokenJSON says where the content stops being JSON.
func (p *parser) brokenJSON(line int, content []byte) {
	var raw json.RawMessage
	err := json.Unmarshal(content, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line += bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
	}
	if err == nil {
		err = errors.New("it is " + jsonKind(content) + ", not an object")
	}
	p.problem(line, guessPackage(content), err)
}

// yaml reads a stream of YAML documents.
func (p *parser) yaml(line int, content []byte) {
	err := p.yamlStream(content, func(at int, object []byte) error {
		p.document(line+at-1, object)
		return nil
	})
	if err == nil {
		return
	}
	at, text := yamlLine(err)
	p.problem(line+at-1, guessPackage(content), text)
}

// yamlPosition is how the decoder says where it stopped.
var yamlPosition = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlLine takes the line out of an error of the decoder, which counts from the
// beginning of what it was given.
func yamlLine(err error) (int, error) {
	if e, ok := errors.AsType[*yamlError](err); ok {
		return e.line, e.err
	}
	found := yamlPosition.FindStringSubmatch(err.Error())
	if found == nil {
		return 1, err
	}
	text := errors.New(err.Error()[len(found[0]):])
	if n, err := strconv.Atoi(found[1]); err == nil {
		return max(n, 1), text
	}
	return 1, text
}

// document takes one document, which is JSON by now.
func (p *parser) document(line int, object []byte) {
	if string(object) == "null" {
		return // nothing between two lines of "---"
	}
	if object[0] != '{' {
		p.problem(line, "", errors.New("it is "+jsonKind(object)+", not an object"))
		return
	}
	d, err := newDocument(object)
	d.File, d.Line = p.file, line
	if d.Package != "" {
		p.pkg = d.Package
	}
	if err != nil {
		p.problem(line, d.Package, err)
		return
	}
	p.out.documents = append(p.out.documents, d)
}

// problem notes a broken document. Files hold one package mostly, so one whose
// package cannot be told is taken to be of the package before it.
func (p *parser) problem(line int, pkg string, err error) {
	if pkg == "" {
		pkg = p.pkg
	}
	p.out.problems = append(p.out.problems, Problem{File: p.file, Line: line, Package: pkg, Err: err})
}

// packageField and nameField find the package in what cannot be parsed.
var (
	packageField = regexp.MustCompile(`(?m)(?:^|[{,])\s*["']?package["']?\s*:\s*["']?([A-Za-z0-9][A-Za-z0-9._-]*)`)
	packageKind  = regexp.MustCompile(`(?m)(?:^|[{,])\s*["']?schema["']?\s*:\s*["']?olm\.package\b`)
	nameField    = regexp.MustCompile(`(?m)(?:^|[{,])\s*["']?name["']?\s*:\s*["']?([A-Za-z0-9][A-Za-z0-9._-]*)`)
)

// guessPackage returns the package that a broken document seems to be of.
func guessPackage(content []byte) string {
	field := packageField
	if packageKind.Match(content) {
		field = nameField
	}
	if found := field.FindSubmatch(content); found != nil {
		return string(found[1])
	}
	return ""
}
