package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// object is a JSON object that is edited: its members keep their order, and
// every value that nobody sets stays as it was written.
type object struct{ members []member }

type member struct {
	name       string
	key, value json.RawMessage
}

// errNotObject says that a JSON value is of another kind.
var errNotObject = errors.New("not a JSON object")

// parseObject reads an object. A member that is there twice counts once, with
// its last value, as for jq. The error says where the text is wrong and shows
// nothing of it.
func parseObject(data []byte) (*object, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, errors.New(jsonProblem(data, err))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotObject
	}
	o := &object{}
	at := map[string]int{} // a file may have very many members
	for dec.More() {
		before := dec.InputOffset()
		name, err := dec.Token()
		if err != nil {
			return nil, errNotObject
		}
		m := member{key: bytes.Trim(data[before:dec.InputOffset()], ", \t\r\n")}
		m.name, _ = name.(string)
		if err := dec.Decode(&m.value); err != nil {
			return nil, errNotObject
		}
		if i, again := at[m.name]; again {
			o.members[i].value = m.value
			continue
		}
		at[m.name] = len(o.members)
		o.members = append(o.members, m)
	}
	return o, nil
}

func (o *object) index(name string) int {
	for i := range o.members {
		if o.members[i].name == name {
			return i
		}
	}
	return -1
}

// get returns a member's value, nil where there is none.
func (o *object) get(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// put replaces the member of the same name, or adds one at the end.
func (o *object) put(m member) {
	if i := o.index(m.name); i >= 0 {
		o.members[i].value = m.value
		return
	}
	o.members = append(o.members, m)
}

func (o *object) set(name string, value json.RawMessage) {
	o.put(member{name: name, key: quote(name), value: value})
}

func (o *object) remove(name string) bool {
	i := o.index(name)
	if i < 0 {
		return false
	}
	o.members = append(o.members[:i], o.members[i+1:]...)
	return true
}

// encode returns the object in one line, but for values that had several.
func (o *object) encode() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(m.key)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// quote writes a JSON string, plainly: no browser reads these files.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSpace(b.Bytes())
}

// jsonProblem says where JSON is wrong without quoting it: the text near a
// fault in such a file may be a secret.
func jsonProblem(data []byte, err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		if syntax.Offset >= int64(len(data)) && strings.Contains(syntax.Error(), "unexpected end") {
			return "not valid JSON: it ends too early"
		}
		return fmt.Sprintf("not valid JSON at %s%s", position(data, syntax.Offset-1), expectation(syntax))
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("unexpected JSON %s at %s", strings.Fields(kind.Value)[0], position(data, kind.Offset-1))
	}
	return "not valid JSON"
}

// position is a place in a text as editors count it, columns in bytes.
func position(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

// expectation is what the decoder says of a fault without the character that
// it quotes: ": unexpected character after object key:value pair".
func expectation(err *json.SyntaxError) string {
	text, ok := strings.CutPrefix(err.Error(), "invalid character '")
	end := strings.LastIndex(text, "' ")
	if !ok || end < 0 {
		return ""
	}
	return ": unexpected character " + text[end+2:]
}
