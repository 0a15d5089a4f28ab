package patch

import "bytes"

// search finds a marker by Horspool's method, which looks at one byte in a
// marker's length where nothing is like it. A marker is mostly X, a byte that
// is rare in programs; bytes.Index would stop at each of the many NUL bytes.
type search struct {
	Replacement
	at int64 // where the marker begins in the stream, -1 while it is not found
	// skip is how far the marker can be moved on when its last byte lies on
	// the given one.
	skip [256]int
}

func newSearch(r Replacement) search {
	s := search{Replacement: r, at: -1}
	n := len(r.Marker)
	for i := range s.skip {
		s.skip[i] = n
	}
	for i, b := range r.Marker[:n-1] {
		s.skip[b] = n - 1 - i
	}
	return s
}

func (s *search) found() bool { return s.at >= 0 }

// look searches a part of the stream that begins at the offset start.
func (s *search) look(part []byte, start int64) {
	if s.found() {
		return
	}
	if i := s.index(part); i >= 0 {
		s.at = start + int64(i)
	}
}

// index returns where the marker first stands in b, -1 if it does not.
func (s *search) index(b []byte) int {
	last := len(s.Marker) - 1
	end := s.Marker[last]
	for i := last; i < len(b); i += s.skip[b[i]] {
		if b[i] == end && bytes.Equal(b[i-last:i+1], s.Marker) {
			return i - last
		}
	}
	return -1
}

// overwrite writes what lies in the given part of the value and its NUL byte.
func (s *search) overwrite(part []byte, start int64) {
	if !s.found() {
		return
	}
	value := append([]byte(s.Value), 0)
	from := max(s.at, start)
	to := min(s.at+int64(len(value)), start+int64(len(part)))
	if from < to {
		copy(part[from-start:to-start], value[from-s.at:])
	}
}
