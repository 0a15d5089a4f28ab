package catalog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// converter writes YAML as JSON, with the fields in their order, by the rules
// that Kubernetes and OLM have (sigs.k8s.io/yaml): those of YAML 1.1, where yes is
// true and dates are strings, keys become strings, and of fields that are there
// twice both are written, so that the last one counts.
type converter struct {
	out    []byte
	left   *budget
	depth  int                 // that nodes may have
	inside map[*yaml.Node]bool // what is being written for an alias
}

// budget is what may still be written of one file: it bounds what aliases
// multiply, however many documents they are spread over.
type budget struct {
	bytes int
	nodes int
}

// budgetFor returns the budget of a file: several times what it would come to
// without aliases.
func (l limits) budgetFor(content []byte) budget {
	return budget{bytes: min(l.output, 1<<20+4*len(content)), nodes: 1<<20 + 4*len(content)}
}

// manySigns returns an error for a document of so many values that the parser, which
// takes 250 bytes for each, would exhaust us before the budget can be asked. It counts
// in each document by itself: a file may be a whole catalog of prose, with a sign in
// every twenty letters, but no document of one is much longer than a cluster
// takes for an object.
func (l limits) manySigns(document []byte) error {
	if signs(document) <= l.signs {
		return nil
	}
	return &yamlError{1, fmt.Errorf("%w: the document has more than %d values, as its punctuation counts them", errLimit, l.signs)}
}

// signs counts what every value of a document has at least one of.
func signs(text []byte) (n int) {
	for _, sign := range []string{",", ":", "-", "?", "[", "{"} {
		n += bytes.Count(text, []byte(sign)) // faster, six times over, than a loop
	}
	return n
}

// yamlStream yields the documents of a stream. It stops after an error.
func (p *parser) yamlStream(content []byte, yield func(line int, object []byte) error) error {
	if err := p.manySigns(content); err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c := converter{left: &p.left, depth: p.depth, inside: map[*yaml.Node]bool{}, out: make([]byte, 0, len(content)+len(content)/8+64)}
		err = c.node(&doc, 0)
		p.left.bytes -= len(c.out)
		if err != nil {
			return err
		}
		if err := yield(firstLine(&doc), c.out); err != nil {
			return err
		}
	}
}

// firstLine is where the first node stands.
func firstLine(n *yaml.Node) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		return n.Content[0].Line
	}
	return max(n.Line, 1)
}

// yamlError is a fault in a document, with its line.
type yamlError struct {
	line int
	err  error
}

// Error implements error.
func (e *yamlError) Error() string { return e.err.Error() }
func (e *yamlError) Unwrap() error { return e.err }

func (c *converter) node(n *yaml.Node, depth int) error {
	if err := c.bound(n, depth); err != nil {
		return err
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			c.out = append(c.out, "null"...)
			return nil
		}
		return c.node(n.Content[0], depth)
	case yaml.AliasNode:
		return c.alias(n, func(to *yaml.Node) error { return c.node(to, depth+1) })
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		return c.sequence(n, depth)
	}
	return c.scalar(n)
}

// alias writes what an alias stands for. One that stands for what it is part of
// has no end.
func (c *converter) alias(n *yaml.Node, write func(to *yaml.Node) error) error {
	if c.inside[n.Alias] {
		return &yamlError{n.Line, fmt.Errorf("the alias *%s is part of what it stands for", n.Value)}
	}
	c.inside[n.Alias] = true
	defer delete(c.inside, n.Alias)
	return write(n.Alias)
}

// bound refuses what is made to exhaust us.
func (c *converter) bound(n *yaml.Node, depth int) error {
	c.left.nodes--
	switch {
	case depth > c.depth:
		return &yamlError{n.Line, fmt.Errorf("%w: nested more than %d deep", errLimit, c.depth)}
	case len(c.out) > c.left.bytes, c.left.nodes < 0:
		return &yamlError{n.Line, fmt.Errorf("%w: the document is too large with its aliases written out", errLimit)}
	}
	return nil
}

func (c *converter) sequence(n *yaml.Node, depth int) error {
	c.out = append(c.out, '[')
	for i, element := range n.Content {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if err := c.node(element, depth+1); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	return nil
}

func (c *converter) mapping(n *yaml.Node, depth int) error {
	c.out = append(c.out, '{')
	start := len(c.out)
	if err := c.fields(n, start, depth); err != nil {
		return err
	}
	c.out = append(c.out, '}')
	return nil
}

// fields writes the fields of a mapping. What is merged into it comes first,
// because its own fields win.
func (c *converter) fields(n *yaml.Node, start, depth int) error {
	if err := c.bound(n, depth); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			if err := c.merge(n.Content[i+1], start, depth+1); err != nil {
				return err
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMerge(key) {
			continue
		}
		if len(c.out) > start {
			c.out = append(c.out, ',')
		}
		if err := c.key(key); err != nil {
			return err
		}
		c.out = append(c.out, ':')
		if err := c.node(value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "!!merge" || key.Tag == "" || key.Tag == "!")
}

// merge writes the fields of the mappings that a merge key names. Of several
// the first wins, so it is written last.
func (c *converter) merge(value *yaml.Node, start, depth int) error {
	if value.Kind == yaml.AliasNode {
		return c.alias(value, func(to *yaml.Node) error { return c.merge(to, start, depth+1) })
	}
	wrong := &yamlError{value.Line, errors.New("<< has to be followed by a mapping, or a list of mappings")}
	switch value.Kind {
	case yaml.MappingNode:
		return c.fields(value, start, depth)
	case yaml.SequenceNode:
		for _, element := range slices.Backward(value.Content) {
			if element.Kind == yaml.SequenceNode {
				return wrong
			}
			if err := c.merge(element, start, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong
}

func (c *converter) key(n *yaml.Node) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return &yamlError{n.Line, errors.New("a key of a mapping has to be a string")}
	}
	if _, old := oldBool(n); n.ShortTag() == "!!str" && !old {
		c.quote(n.Value)
		return nil
	}
	at := len(c.out)
	if err := c.scalar(n); err != nil {
		return err
	}
	if c.out[at] != '"' {
		text := string(c.out[at:])
		c.out = c.out[:at]
		c.quote(text)
	}
	return nil
}

// scalar writes a plain or quoted value.
func (c *converter) scalar(n *yaml.Node) error {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 && n.Style&yaml.TaggedStyle == 0 {
		c.quote(n.Value)
		return nil
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		c.out = append(c.out, "null"...)
	case "!!bool", "!!int", "!!float":
		return c.value(n)
	case "!!binary":
		body, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			return &yamlError{n.Line, fmt.Errorf("!!binary: %w", err)}
		}
		c.quote(strings.ToValidUTF8(string(body), "\uFFFD"))
	default:
		if b, ok := oldBool(n); ok {
			c.out = strconv.AppendBool(c.out, b)
			return nil
		}
		c.quote(n.Value)
	}
	return nil
}

// oldBool knows the other truth values of YAML 1.1.
func oldBool(n *yaml.Node) (value, ok bool) {
	if n.Style != 0 || len(n.Value) > 3 {
		return false, false
	}
	switch n.Value {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func (c *converter) value(n *yaml.Node) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return &yamlError{n.Line, err}
	}
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return &yamlError{n.Line, fmt.Errorf("%s is no number that JSON has", n.Value)}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return &yamlError{n.Line, err}
	}
	c.out = append(c.out, body...)
	return nil
}

// quote writes a string of JSON.
func (c *converter) quote(s string) {
	const hex = "0123456789abcdef"
	c.out = append(c.out, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		c.out = append(c.out, s[plain:i]...)
		plain = i + 1
		switch b {
		case '"', '\\':
			c.out = append(c.out, '\\', b)
		case '\n':
			c.out = append(c.out, '\\', 'n')
		case '\t':
			c.out = append(c.out, '\\', 't')
		case '\r':
			c.out = append(c.out, '\\', 'r')
		default:
			c.out = append(c.out, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
	}
	c.out = append(c.out, s[plain:]...)
	c.out = append(c.out, '"')
}
