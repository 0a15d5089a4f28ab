package repo

import (
	"bytes"
	"strconv"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Facts are decoded for every request that a server answers, where
// encoding/json is half of the registry's work. So the form that EncodeFact
// writes is read here, letter by letter; whatever looks otherwise is left to
// encoding/json, which alone says what is malformed.

// scan reads a fact of a known type in its usual form, or returns false.
func scan(value any, text []byte) bool {
	s := &scanner{rest: text, ok: true}
	switch f := value.(type) {
	case *TagFact:
		f.scan(s)
	case *ManifestFact:
		f.scan(s)
	case *BlobFact:
		f.scan(s)
	default:
		return false
	}
	s.want("}")
	return s.ok && len(s.rest) == 0
}

func (f *TagFact) scan(s *scanner) {
	s.want(`{"digest":`)
	f.Digest = s.digest()
	if s.take(`,"time":`) {
		f.Time = s.number()
	}
}

func (f *ManifestFact) scan(s *scanner) {
	s.want(`{"mediaType":`)
	f.MediaType = s.text()
	s.want(`,"size":`)
	f.Size = s.number()
	if s.take(`,"artifactType":`) {
		f.ArtifactType = s.text()
	}
	if s.take(`,"subject":`) {
		d := s.digest()
		f.Subject = &d
	}
}

func (f *BlobFact) scan(s *scanner) {
	s.want(`{"size":`)
	f.Size = s.number()
	if s.take(`,"time":`) {
		f.Time = s.number()
	}
	f.Held = s.take(`,"held":true`)
}

// scanner reads from the front of a text until something is not as expected.
type scanner struct {
	rest []byte
	ok   bool
}

// take reads a literal if it comes next.
func (s *scanner) take(literal string) bool {
	if !s.ok || len(s.rest) < len(literal) || string(s.rest[:len(literal)]) != literal {
		return false
	}
	s.rest = s.rest[len(literal):]
	return true
}

func (s *scanner) want(literal string) { s.ok = s.take(literal) }

// text reads a string of plain ASCII without escapes.
func (s *scanner) text() string {
	s.want(`"`)
	end := bytes.IndexByte(s.rest, '"')
	if !s.ok || end < 0 {
		s.ok = false
		return ""
	}
	for _, c := range s.rest[:end] {
		s.ok = s.ok && c >= ' ' && c <= '~' && c != '\\'
	}
	out := string(s.rest[:end])
	s.rest = s.rest[end+1:]
	return out
}

func (s *scanner) digest() oci.Digest {
	d, err := oci.ParseDigest(s.text())
	s.ok = s.ok && err == nil
	return d
}

// number reads a whole number as JSON writes it, without sign or leading zero.
func (s *scanner) number() int64 {
	n := 0
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(s.rest[:n]), 10, 64)
	s.ok = s.ok && err == nil && (n == 1 || s.rest[0] != '0')
	s.rest = s.rest[n:]
	return v
}
