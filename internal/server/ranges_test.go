package server

import (
	"net/http"
	"testing"
)

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"0-99", "bytes 0-99/100", "5-4", "-", "a-b", "0-9223372036854775808", "+1-2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, ok := contentRange(s)
		if ok && (first < 0 || last < first) {
			t.Errorf("%q became %d to %d", s, first, last)
		}
	})
}

// Whatever a client asks for, what is sent lies within the blob.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=9-1", "bytes=0-0,2-3", "items=0-1", "bytes=-9223372036854775808", "bytes=-0"} {
		f.Add(s, int64(10))
		f.Add(s, int64(0))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		e, err := rangeOf(http.Header{"Range": {s}}, `"e"`, size)
		if err != nil {
			return
		}
		if e.start < 0 || e.length < 0 || e.start+e.length > size || e.partial && e.length == 0 {
			t.Errorf("%q of %d bytes became %+v", s, size, e)
		}
	})
}
