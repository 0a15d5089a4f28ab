// Package installconfig puts what a disconnected installation needs into an
// install-config.yaml: mirrors, certificate authorities, a pull secret. The
// file is edited as text, by the lines that its YAML nodes stand on, so that
// comments, order and quoting stay byte for byte wherever nothing is changed.
// Every result is read back and compared with what was meant before it is
// returned. Errors name lines and fields and never quote values, because the
// file holds secrets. The package is pure: bytes in, bytes out.
package installconfig

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
)

// The fields of install-config.yaml that are written. The installer refuses a
// file that has both of the first two; it knows imageDigestSources from
// OpenShift 4.14 on, and takes imageContentSources as deprecated since then.
const (
	ContentSources = "imageContentSources"
	DigestSources  = "imageDigestSources"
	trustBundle    = "additionalTrustBundle"
	trustPolicy    = "additionalTrustBundlePolicy"
	pullSecret     = "pullSecret"
)

// maxFile is the largest file that is read, in bytes. Real ones have some ten
// thousand.
const maxFile = 4 << 20

// The errors that callers tell apart. What is wrong, and in which line, comes
// before them in the error's text.
var (
	// ErrNot is the error of a file that is something else.
	ErrNot = errors.New("it is not an install-config.yaml")
	// ErrCannotEdit is the error of YAML that is in order, but written in a way
	// that cannot be edited without touching what was not asked for.
	ErrCannotEdit = errors.New("it cannot be edited as text")
)

// Source says in which repositories the images of a repository are found.
type Source struct {
	Mirrors []string
	Source  string
}

// Change is what a file is to have. Zero fields leave theirs alone.
type Change struct {
	// Key is ContentSources or DigestSources: the field that holds the mirrors,
	// also those that the file has under the other one. With "" it is the field
	// that the file has, else ContentSources, which every version takes.
	Key string
	// Sources are added to those of the file; mirrors of the same source are
	// put behind those it has.
	Sources []Source
	// Authorities are added to the certificates of additionalTrustBundle.
	Authorities []*x509.Certificate
	// Policy is the value of additionalTrustBundlePolicy.
	Policy string
	// PullSecret is the JSON text that takes the place of the one in the file.
	PullSecret string
}

// Result is an edited file.
type Result struct {
	Content []byte // equal to what was given where Changed is false
	Changed bool
	// Notes say what became of each field, one line each.
	Notes []string
	// Defaulted says that ContentSources was written since nothing chose a field.
	Defaulted bool
	// Warnings say what of the file could not be kept.
	Warnings []string
	// Sections are the mirrors and the certificates that the file now has, as
	// the text of their fields. The pull secret is not among them.
	Sections []byte
}

// Merge makes a file have what the change says. Merging the same again changes
// nothing.
func Merge(content []byte, c Change) (Result, error) {
	mark := []byte("\ufeff")
	body, marked := bytes.CutPrefix(content, mark)
	m := &merger{change: c}
	if err := m.run(string(body)); err != nil {
		return Result{}, err
	}
	m.result.Content = []byte(m.text)
	if marked {
		m.result.Content = append(mark, m.result.Content...)
	}
	m.result.Changed = !bytes.Equal(m.result.Content, content)
	return m.result, nil
}

// merger takes a file from one text to the next, one field at a time. Each is
// parsed anew, so that lines are never counted on.
type merger struct {
	change Change
	text   string
	result Result
	want   map[string]any // the values of the fields that were touched; nil for removed
}

func (m *merger) run(text string) error {
	f, err := parse(text)
	if err != nil {
		return err
	}
	m.text, m.want = text, map[string]any{}
	for _, step := range []func(*file) error{m.sources, m.otherSources, m.bundle, m.policy, m.secret} {
		f, err := parse(m.text)
		if err != nil { // of our own making
			return fmt.Errorf("%w: %w", ErrCannotEdit, err)
		}
		if err := step(f); err != nil {
			return err
		}
	}
	return f.verify(m.text, m.want)
}

func (m *merger) note(format string, args ...any) {
	m.result.Notes = append(m.result.Notes, fmt.Sprintf(format, args...))
}

func (m *merger) warn(format string, args ...any) {
	m.result.Warnings = append(m.result.Warnings, fmt.Sprintf(format, args...))
}
