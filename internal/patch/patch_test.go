package patch_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/airbridge-dev/airbridge/internal/patch"
)

const pullSpec = "mirror.example.com:8443/ocp/release@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// bufferSize is that of the package: places around it are where a stream is cut.
const bufferSize = 256 << 10

func all() []patch.Replacement {
	return []patch.Replacement{
		patch.ReleaseImage(pullSpec), patch.Version("4.14.3"), patch.Architecture("linux/amd64"),
	}
}

// naive is what Copy does, on the whole content at once.
func naive(content []byte, replacements []patch.Replacement) (out []byte, missing []string) {
	out = bytes.Clone(content)
	for _, r := range replacements {
		i := bytes.Index(content, r.Marker)
		if i < 0 {
			missing = append(missing, r.Name)
			continue
		}
		copy(out[i:], r.Value+"\x00")
	}
	slices.Sort(missing)
	return out, missing
}

// same fails the test unless Copy does what naive does.
func same(t *testing.T, content []byte, replacements []patch.Replacement) {
	t.Helper()
	var got bytes.Buffer
	missing, err := patch.Copy(&got, bytes.NewReader(content), replacements...)
	if err != nil {
		t.Fatal(err)
	}
	want, wantMissing := naive(content, replacements)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the copy of %d bytes differs from the naive one of %d", got.Len(), len(want))
	}
	if !slices.Equal(missing, wantMissing) {
		t.Errorf("missing %q, want %q", missing, wantMissing)
	}
}

func TestMarkersAreThoseOfTheReleases(t *testing.T) {
	for i, want := range []struct {
		length, xs int
		label      string
	}{
		{327, 300, "\x00_RELEASE_IMAGE_LOCATION_\x00"},
		{93, 64, "\x00_RELEASE_VERSION_LOCATION_\x00"},
		{98, 64, "\x00_RELEASE_ARCHITECTURE_LOCATION_\x00"},
	} {
		m := string(all()[i].Marker)
		if len(m) != want.length || m != want.label+strings.Repeat("X", want.xs)+"\x00" {
			t.Errorf("marker %d: %d bytes, %q", i, len(m), m)
		}
	}
}

func TestValueAndOneNulAreWrittenInPlace(t *testing.T) {
	r := patch.Version("4.14.3")
	content := "before" + string(r.Marker) + "between" + string(r.Marker) + "after"
	var got strings.Builder
	missing, err := patch.Copy(&got, strings.NewReader(content), r)
	if err != nil || missing != nil {
		t.Fatal(missing, err)
	}
	want := "before4.14.3\x00" + string(r.Marker[7:]) + "between" + string(r.Marker) + "after"
	if got.String() != want {
		t.Errorf("got  %q\nwant %q", got.String(), want)
	}
}

func TestMissingMarkersAreNamedInOrder(t *testing.T) {
	content := "x" + string(patch.Version("1").Marker)
	missing, err := patch.Copy(io.Discard, strings.NewReader(content), all()...)
	if want := []string{"release architecture", "release image"}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("got %q, %v, want %q", missing, err, want)
	}
}

func TestMarkerAtEveryPlaceThatMatters(t *testing.T) {
	for _, r := range all() {
		n := len(r.Marker)
		for _, cut := range []int{0, bufferSize, bufferSize + n - 1, 2 * bufferSize} {
			for _, before := range []int{n + 1, n, n - 1, n - 2, n / 2, 2, 1, 0, -1} {
				at := max(0, cut-before)
				content := make([]byte, at+n)
				copy(content[at:], r.Marker)
				same(t, content, []patch.Replacement{r})
				same(t, append(content, make([]byte, bufferSize)...), all())
			}
		}
	}
}

func TestAnyMixOfMarkersIsCopiedAsTheNaiveWayDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "\x00aX_"[random.IntN(4)]
		}
		return b
	}
	for range 300 {
		var replacements []patch.Replacement
		for range random.IntN(4) {
			m := word(2 + random.IntN(5))
			replacements = append(replacements, patch.Replacement{Name: string(m), Marker: m, Value: strings.Repeat("v", 1+random.IntN(len(m)-1))})
		}
		content := word(random.IntN(300))
		if random.IntN(10) == 0 {
			content = slices.Concat(make([]byte, bufferSize-random.IntN(20)), content)
		}
		same(t, content, replacements)
	}
}

func TestOverlappingMarkers(t *testing.T) {
	rs := []patch.Replacement{
		{Name: "long", Marker: []byte("abcabd"), Value: "12345"},
		{Name: "short", Marker: []byte("abd"), Value: "9"},
		{Name: "inner", Marker: []byte("ca"), Value: "7"},
		{Name: "same", Marker: []byte("abcabd"), Value: "0"},
	}
	for _, before := range []int{0, bufferSize - 3, bufferSize, bufferSize + 2} {
		content := append(make([]byte, before), "abcabcabdabd"...)
		same(t, content, rs)
		slices.Reverse(rs)
		same(t, content, rs)
	}
}

func TestBadValuesAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	for value, want := range map[string]string{
		strings.Repeat("v", 93): "the release version value has 93 bytes, but the maximum replacement length is 92",
		"":                      "the release version value is empty",
		"4.14\x00.3":            `the release version value "4.14\x00.3" contains a NUL byte, which would end it`,
	} {
		var got bytes.Buffer
		_, err := patch.Copy(&got, bytes.NewReader(make([]byte, 3*bufferSize)), patch.ReleaseImage("x"), patch.Version(value))
		if err == nil || err.Error() != want || got.Len() > 0 {
			t.Errorf("%q: %v, %d bytes written", value, err, got.Len())
		}
	}
	if _, err := patch.Copy(io.Discard, strings.NewReader("abc"), patch.Replacement{Name: "x", Value: "v"}); err == nil {
		t.Error("a replacement without a marker was taken")
	}
}

func TestLongestValueFits(t *testing.T) {
	r := patch.Version(strings.Repeat("v", 92))
	same(t, append([]byte("x"), r.Marker...), []patch.Replacement{r})
}

func TestErrorsOfBothSidesComeBack(t *testing.T) {
	broken := errors.New("broken")
	for name, content := range map[string]string{
		"before the marker": "abc",
		"after the marker":  string(patch.Version("1").Marker),
	} {
		src := io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken))
		if _, err := patch.Copy(io.Discard, src, patch.Version("1")); !errors.Is(err, broken) {
			t.Errorf("reading, %s: %v", name, err)
		}
	}
	for _, fail := range []error{broken, nil} {
		w := failing{fail}
		_, err := patch.Copy(w, strings.NewReader("abc"), patch.Version("1"))
		if fail == nil {
			fail = io.ErrShortWrite
		}
		if !errors.Is(err, fail) {
			t.Errorf("writing: %v, want %v", err, fail)
		}
	}
}

// failing is a writer that takes nothing.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestSmallReadsMakeNoDifference(t *testing.T) {
	content := slices.Concat([]byte("head"), all()[0].Marker, []byte("mid"), all()[1].Marker, all()[2].Marker, []byte("tail"))
	var got bytes.Buffer
	missing, err := patch.Copy(&got, iotest.OneByteReader(bytes.NewReader(content)), all()...)
	want, _ := naive(content, all())
	if err != nil || missing != nil || !bytes.Equal(got.Bytes(), want) {
		t.Error(missing, err)
	}
}

// A program that contains a marker could be patched by mistake: oc, ours too.
func TestThisProgramContainsNoMarker(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all() {
		if bytes.Contains(program, r.Marker) {
			t.Errorf("the marker of the %s is in this program", r.Name)
		}
	}
}

func FuzzCopy(f *testing.F) {
	f.Add([]byte("aabb5678"), []byte("aa"), []byte("bb"), uint16(0))
	f.Add([]byte("abcabcabd"), []byte("abcabd"), []byte("abd"), uint16(3))
	f.Add([]byte("\x00XX\x00XX\x00"), []byte("\x00XX\x00"), []byte("XX\x00XX"), uint16(6))
	f.Fuzz(func(t *testing.T, content, a, b []byte, pad uint16) {
		rs := []patch.Replacement{{Name: "a", Marker: a, Value: "v"}, {Name: "b", Marker: b, Value: "longer"}}
		rs = slices.DeleteFunc(rs, func(r patch.Replacement) bool { return len(r.Value) >= len(r.Marker) })
		same(t, content, rs)
		same(t, append(make([]byte, bufferSize-int(pad%1024)), content...), rs)
	})
}

// BenchmarkCopy copies a program of which nothing is known but that the
// markers are not in it, which is the slowest case; and, to compare, without.
func BenchmarkCopy(b *testing.B) {
	name, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	program = bytes.Repeat(program, 1+64<<20/len(program))
	out := bytes.NewBuffer(make([]byte, 0, len(program)+bufferSize))
	for name, replacements := range map[string][]patch.Replacement{"none": nil, "three": all()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(program)))
			for b.Loop() {
				out.Reset()
				if _, err := patch.Copy(out, struct{ io.Reader }{bytes.NewReader(program)}, replacements...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
