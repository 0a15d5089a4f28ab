package installconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxCertificates bounds a bundle. The system's own authorities are some 150.
const maxCertificates = 1000

// ParseAuthorities reads a file of PEM certificates, with any text between
// them, once each. What is not a certificate, a private key above all, is
// refused: the file goes into the cluster.
func ParseAuthorities(content []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := bytes.ReplaceAll(content, []byte("\r"), nil); ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return out, wholePEM(content, rest, len(out))
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("part %d is a %.50s, and not a certificate", len(out)+1, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(out)+1, err)
		}
		if !slices.ContainsFunc(out, cert.Equal) {
			out = append(out, cert)
		}
		if len(out) > maxCertificates {
			return nil, fmt.Errorf("it has more than %d certificates", maxCertificates)
		}
	}
}

// wholePEM is the error of a file in which something is left that the decoder
// passed over: a certificate cut short, or no PEM at all.
func wholePEM(content, rest []byte, found int) error {
	switch {
	case bytes.Contains(rest, []byte("-----BEGIN")), bytes.Count(content, []byte("-----BEGIN")) > bytes.Count(content, []byte("-----END")):
		return fmt.Errorf("certificate %d is damaged: it is no whole PEM block", found+1)
	case found == 0:
		return errors.New("it has no PEM certificate")
	}
	return nil
}

// bundle adds the authorities to additionalTrustBundle.
func (m *merger) bundle(f *file) error {
	if len(m.change.Authorities) == 0 {
		return nil
	}
	text, have, err := readBundle(f.find(trustBundle))
	if err != nil {
		return err
	}
	added := 0
	for _, cert := range m.change.Authorities {
		if slices.ContainsFunc(have, cert.Equal) {
			continue
		}
		have = append(have, cert)
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
		added++
	}
	m.putBundle(f, text, added)
	return nil
}

// readBundle returns the text of a bundle, every line ended and without spaces
// around, and the certificates in it.
func readBundle(e *entry) (string, []*x509.Certificate, error) {
	if e == nil {
		return "", nil, nil
	}
	text, ok := e.text()
	if ok && strings.TrimSpace(text) == "" {
		return "", nil, nil
	}
	have, err := ParseAuthorities([]byte(text))
	if !ok || err != nil {
		return "", nil, fmt.Errorf("line %d: %s holds something that is not certificates: correct it, or take it out", e.key.Line, trustBundle)
	}
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String(), have, nil
}

func (m *merger) putBundle(f *file, text string, added int) {
	lines := []string{"|"}
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			line = "  " + line
		}
		lines = append(lines, line)
	}
	switch e := f.find(trustBundle); {
	case added == 0:
		m.note("%s: all certificates were there", trustBundle)
	case e != nil:
		m.text = f.set(e, lines...)
	default:
		m.text = f.add(append([]string{trustBundle + ": |"}, lines[1:]...)...)
	}
	if added > 0 {
		m.want[trustBundle] = text
		m.note("%s: %s added", trustBundle, count(added, "certificate"))
	}
	m.result.Sections = append(m.result.Sections, trustBundle+": "+strings.Join(lines, "\n")+"\n"...)
}

// policy sets additionalTrustBundlePolicy.
func (m *merger) policy(f *file) error {
	if m.change.Policy == "" {
		return nil
	}
	m.result.Sections = append(m.result.Sections, trustPolicy+": "+m.change.Policy+"\n"...)
	m.putScalar(f, trustPolicy, m.change.Policy)
	return nil
}

// putScalar gives a field a value of one line that needs no quotes.
func (m *merger) putScalar(f *file, name, value string) {
	e := f.find(name)
	if e == nil {
		m.text = f.add(name + ": " + value)
		m.note("%s: added", name)
	} else if have, _ := e.text(); have != value {
		m.text = f.set(e, value)
		m.note("%s: replaced", name)
	} else {
		m.note("%s: it was there", name)
		return
	}
	m.want[name] = value
}
