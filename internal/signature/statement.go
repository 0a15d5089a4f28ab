package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// statement is what is signed: "this digest is that image" (atomic container
// signature, oc.md 11).
type statement struct {
	Digest    oci.Digest
	Reference string // how the signer calls the image
}

// statementType is the type of statement of release signatures.
const statementType = "atomic container signature"

type wireStatement struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
	} `json:"critical"`
	Optional struct {
		Creator   string `json:"creator"`
		Timestamp int64  `json:"timestamp"`
	} `json:"optional"`
}

// parseStatement is strict, as oc and clusters are: a field that is not known
// may restrict what the statement means.
func parseStatement(text []byte) (statement, error) {
	var w wireStatement
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return statement{}, fmt.Errorf("%w: %w", ErrNotStatement, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return statement{}, fmt.Errorf("%w: something follows its end", ErrNotStatement)
	}
	if w.Critical.Type != statementType {
		return statement{}, fmt.Errorf("%w: its type is %.100q, not %q", ErrNotStatement, w.Critical.Type, statementType)
	}
	if w.Critical.Identity.Reference == "" {
		return statement{}, fmt.Errorf("%w: it names no image", ErrNotStatement)
	}
	digest, err := oci.ParseDigest(w.Critical.Image.Digest)
	if err != nil {
		return statement{}, fmt.Errorf("%w: %w", ErrNotStatement, err)
	}
	return statement{digest, printable(w.Critical.Identity.Reference)}, nil
}

// printable makes text of others fit for one line of a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	return fmt.Sprintf("%.300s", s)
}
