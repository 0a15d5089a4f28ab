package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// extent is what of a blob is sent, in bytes.
type extent struct {
	start, length int64
	partial       bool
}

// rangeOf reads Range and If-Range (RFC 9110, 14.2 and 13.1.5) against a blob
// of the given size. Other units, several ranges and malformed ones are
// ignored, as the RFC allows, but for a range that ends before it starts: the
// conformance suite wants 416 for that. What lies beyond the end is an error
// that matches oci.ErrRangeInvalid.
func rangeOf(h http.Header, etag string, size int64) (extent, error) {
	whole := extent{length: size}
	spec, ok := strings.CutPrefix(h.Get("Range"), "bytes=")
	if !ok || strings.Contains(spec, ",") || !ifRange(h, etag) {
		return whole, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return whole, nil
	}
	if first == "" {
		return suffix(last, size)
	}
	start, okFirst := parseNumber(first)
	end, okLast := parseNumber(last)
	if last == "" {
		end, okLast = size-1, true
	}
	if !okFirst || !okLast {
		return whole, nil
	}
	if start >= size || last != "" && end < start {
		return extent{}, notSatisfiable(spec, size)
	}
	return extent{start, min(end, size-1) - start + 1, true}, nil
}

// suffix is the range of the last n bytes.
func suffix(last string, size int64) (extent, error) {
	n, ok := parseNumber(last)
	if !ok {
		return extent{length: size}, nil
	}
	if n == 0 || size == 0 {
		return extent{}, notSatisfiable("-"+last, size)
	}
	n = min(n, size)
	return extent{size - n, n, true}, nil
}

func notSatisfiable(spec string, size int64) error {
	return oci.ErrRangeInvalid.With(fmt.Sprintf("range %.50q is not within the %d bytes of the blob", spec, size))
}

// ifRange reports whether a range may be answered: without If-Range, or with
// one that names this very content. A date never does: blobs have none.
func ifRange(h http.Header, etag string) bool {
	v := h.Get("If-Range")
	return v == "" || v == etag
}

// matches reports whether If-None-Match names the content (RFC 9110, 13.1.2).
func matches(h http.Header, etag string) bool {
	for _, field := range h["If-None-Match"] {
		for tag := range strings.SplitSeq(field, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// contentRange reads the Content-Range of an upload's chunk: "first-last", as
// the distribution specification has it, or the "bytes first-last/total" of
// HTTP, which some clients send. ok is false where it is neither.
func contentRange(v string) (first, last int64, ok bool) {
	v = strings.TrimPrefix(v, "bytes ")
	v, _, _ = strings.Cut(v, "/")
	a, b, found := strings.Cut(v, "-")
	first, okA := parseNumber(a)
	last, okB := parseNumber(b)
	return first, last, found && okA && okB && first <= last
}

// parseNumber reads digits and nothing else.
func parseNumber(s string) (int64, bool) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
