package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// parser takes one file apart.
type parser struct {
	limits
	file string
	pkg  string // of the last document
	left budget
	out  parsed

	guesses int // where a document begins, after broken ones
}

// parseFile reads the documents of a file. After a document that is broken it
// goes on with the next.
func (l limits) parseFile(name string, content []byte) parsed {
	p := &parser{limits: l, file: name, left: l.budgetFor(content)}
	for doc := range yamldoc.Split(content) {
		p.chunk(doc)
	}
	return p.out
}

// chunk reads a document of YAML, or JSON values, however many: they need no
// line of "---" between them.
func (p *parser) chunk(doc yamldoc.Document) {
	if !bytes.HasPrefix(doc.Body, []byte("{")) {
		p.yaml(doc.Line+1, doc.Text)
		return
	}
	before := doc.Text[:len(doc.Text)-len(doc.Body)]
	p.json(doc.Line+1+bytes.Count(before, []byte("\n")), doc.Body)
}

// json reads a stream of JSON values. What begins like one and is none may be
// YAML, which has braces too.
func (p *parser) json(line int, content []byte) {
	for first := true; ; first = false {
		next := bytes.TrimLeft(content, " \t\r\n")
		line += bytes.Count(content[:len(content)-len(next)], []byte("\n"))
		if content = next; len(content) == 0 {
			return
		}
		end := jsonEnd(content)
		switch {
		case end > 0 && content[0] == '{' && json.Valid(content[:end]):
			p.object(line, content[:end:end])
		case first && p.isYAML(content):
			p.yaml(line, content)
			return
		default:
			end = p.broken(line, content, end)
		}
		line += bytes.Count(content[:end], []byte("\n"))
		content = content[end:]
	}
}

func (p *parser) isYAML(content []byte) bool {
	return p.yamlStream(content, func(int, []byte) error { return nil }) == nil
}

// maxGuesses bounds how often the end of a file is looked for in vain.
const maxGuesses = 20

// broken tells of what is no JSON and returns where the next document begins. end is
// where the brackets say that this one does, and as it may lack a bracket or a
// quote, that may be behind many others. So the next is taken to begin at the next line
// that begins with a brace: opm writes them so, and indents what is inside.
func (p *parser) broken(line int, content []byte, end int) int {
	open := end == 0 || content[0] != '{'
	if open {
		end = len(content)
	}
	if next := bytes.Index(content[:end], []byte("\n{")); next >= 0 && p.guesses < maxGuesses {
		p.guesses++
		end, open = next+1, false
	}
	pkg := guessPackage(content[:end])
	if open && len(schemaField.FindAllIndex(content[:end], 2)) > 1 {
		p.pkg, pkg = "", "" // documents of several packages may be lost
	}
	p.brokenJSON(line, pkg, content[:end])
	return end
}

// object takes a JSON object. Behind a broken document one without a schema is taken
// for a part of that, not indented.
func (p *parser) object(line int, object []byte) {
	if p.guesses == 0 || hasSchema(object) {
		p.document(line, object)
		return
	}
	p.problem(line, "", errors.New("it has no schema, and seems to be part of a broken document before it"))
}

// brokenJSON says where the content stops being JSON.
func (p *parser) brokenJSON(line int, pkg string, content []byte) {
	var raw json.RawMessage
	err := json.Unmarshal(content, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line += bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
	}
	if err == nil {
		err = errors.New("it is " + jsonKind(content) + ", not an object")
	}
	p.problem(line, pkg, err)
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
	schemaField  = regexp.MustCompile(`["']schema["']\s*:`)
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
