package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/jsonpath"
)

// outputFlags say in which form a result is printed: -o json, or a template
// over the same JSON.
type outputFlags struct {
	format       string
	template     string
	allowMissing bool
}

func (f *outputFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.template, "template", "", "template for -o jsonpath or -o go-template, instead of one behind its =")
	flags.BoolVar(&f.allowMissing, "allow-missing-template-keys", true, "leave out what a template names and the result has not; =false makes it an error")
}

// kind is the format without its template.
func (f *outputFlags) kind() string {
	kind, _, _ := strings.Cut(f.format, "=")
	return kind
}

// renderer makes text of a value that can be written as JSON.
type renderer func(value any) (string, error)

// templates are the formats that take a template, as the Kubernetes commands
// know them.
var templates = map[string]func(f *outputFlags, text string) (renderer, error){
	"jsonpath":         jsonPath,
	"jsonpath-file":    jsonPath,
	"jsonpath-as-json": jsonPathValues,
	"go-template":      goTemplate,
	"go-template-file": goTemplate,
	"template":         goTemplate,
	"templatefile":     goTemplate,
}

// formatNames lists the formats that there are.
func formatNames(own []string) string {
	return strings.Join(append(append([]string{"json"}, own...), slices.Sorted(maps.Keys(templates))...), ", ")
}

// parse reads the format before anything is looked up. It returns nil for the
// formats in own, which have no template, and for none.
func (f *outputFlags) parse(own ...string) (renderer, error) {
	kind, text, given := strings.Cut(f.format, "=")
	if kind == "" && f.template != "" {
		kind, text, given = "go-template", f.template, true
	}
	if kind == "json" {
		return asJSON, nil
	}
	if kind == "" || slices.Contains(own, f.format) {
		return nil, nil
	}
	parse := templates[kind]
	if parse == nil {
		return nil, usagef("--output only supports %s", formatNames(own))
	}
	if !given {
		text = f.template
	}
	if text == "" {
		return nil, usagef("-o %s needs a template: -o %[1]s=TEMPLATE", kind)
	}
	if strings.HasSuffix(kind, "file") {
		body, err := os.ReadFile(text)
		if err != nil {
			return nil, fmt.Errorf("reading -o %s: %w", kind, err)
		}
		text = string(body)
	}
	render, err := parse(f, text)
	if err != nil {
		return nil, usagef("-o %s: %w", kind, err)
	}
	return render, nil
}

func asJSON(value any) (string, error) {
	body, err := json.MarshalIndent(value, "", "  ")
	return string(body) + "\n", err
}

func jsonPath(f *outputFlags, text string) (renderer, error) {
	t, err := jsonpath.Parse(text)
	return func(value any) (string, error) {
		data, err := decoded(value)
		if err != nil {
			return "", err
		}
		return t.Text(data, jsonpath.Options{Strict: !f.allowMissing})
	}, err
}

func jsonPathValues(f *outputFlags, text string) (renderer, error) {
	t, err := jsonpath.Parse(text)
	return func(value any) (string, error) {
		data, err := decoded(value)
		if err != nil {
			return "", err
		}
		found, err := t.Values(data, jsonpath.Options{Strict: !f.allowMissing})
		if err != nil {
			return "", err
		}
		body, err := json.MarshalIndent(found, "", "    ")
		return string(body) + "\n", err
	}, err
}

func goTemplate(f *outputFlags, text string) (renderer, error) {
	t, err := template.New("output").Parse(text)
	if err != nil {
		return nil, err
	}
	if !f.allowMissing {
		t.Option("missingkey=error")
	}
	return func(value any) (string, error) {
		data, err := decoded(value)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		err = t.Execute(&b, data)
		return b.String(), err
	}, nil
}

// decoded is a value as its JSON reads, with whole numbers kept whole.
func decoded(value any) (any, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var out any
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	err = dec.Decode(&out)
	return numbers(out), err
}

// numbers makes numbers of the texts that the decoder leaves of them.
func numbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // what is no number would not have been decoded
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = numbers(v[key])
		}
	}
	return value
}
