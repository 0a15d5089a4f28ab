package codesign_test

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/codesign"
)

var le = binary.LittleEndian

// build makes a small program for macOS with Go's own linker. The word is part
// of its content.
func build(t *testing.T, arch, word string, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	source := "package main\n\nvar word = \"unset\"\n\nfunc main() { println(word) }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-o", "program", "-ldflags", strings.Join(append(flags, "-X main.word="+word), " "), "main.go"}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memory is a file in memory.
type memory struct{ b []byte }

func (m *memory) ReadAt(b []byte, at int64) (int, error) { return bytes.NewReader(m.b).ReadAt(b, at) }

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	if need := at + int64(len(b)); need > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, need-int64(len(m.b)))...)
	}
	return copy(m.b[at:], b), nil
}

func (m *memory) Truncate(size int64) error {
	if size > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, size-int64(len(m.b)))...)
	}
	m.b = m.b[:size]
	return nil
}

// sign returns a signed copy.
func sign(t *testing.T, program []byte) []byte {
	t.Helper()
	m := &memory{bytes.Clone(program)}
	size, err := codesign.Sign(m, int64(len(program)))
	if err != nil {
		t.Fatal(err)
	}
	if size != int64(len(m.b)) {
		t.Errorf("Sign says %d bytes, the file has %d", size, len(m.b))
	}
	return m.b
}

// command returns where the load command of a kind is: that of the segment if
// it is one.
func command(b []byte, kind uint32, name string) int {
	at := 32
	for range le.Uint32(b[16:]) {
		if le.Uint32(b[at:]) == kind && strings.HasPrefix(string(b[at+8:]), name) {
			return at
		}
		at += int(le.Uint32(b[at+4:]))
	}
	return -1
}

func signatureCommand(b []byte) int { return command(b, 0x1d, "") }
func linkEdit(b []byte) int         { return command(b, 0x19, "__LINKEDIT\x00") }

// signature returns where the signature begins.
func signature(b []byte) int { return int(le.Uint32(b[signatureCommand(b)+8:])) }

// lengthen adds n bytes to the signature, as other tools have longer ones.
func lengthen(b []byte, n int) []byte {
	b = append(bytes.Clone(b), bytes.Repeat([]byte{0xaa}, n)...)
	c, l := signatureCommand(b), linkEdit(b)
	le.PutUint32(b[c+12:], le.Uint32(b[c+12:])+uint32(n))
	le.PutUint64(b[l+32:], le.Uint64(b[l+32:])+uint64(n))
	le.PutUint64(b[l+48:], le.Uint64(b[l+48:])+uint64(n))
	return b
}

// strip takes the signature out, which Go's linker names last.
func strip(b []byte) []byte {
	b = bytes.Clone(b)
	c, l, at := signatureCommand(b), linkEdit(b), signature(b)
	n := uint64(le.Uint32(b[c+12:]))
	le.PutUint64(b[l+32:], le.Uint64(b[l+32:])-n)
	le.PutUint64(b[l+48:], le.Uint64(b[l+48:])-n)
	le.PutUint32(b[16:], le.Uint32(b[16:])-1)
	le.PutUint32(b[20:], le.Uint32(b[20:])-16)
	clear(b[c : c+16])
	return b[:at]
}

func TestSignatureIsThatOfGosLinker(t *testing.T) {
	for _, flags := range [][]string{nil, {"-s", "-w"}} {
		want := build(t, "arm64", "one", flags...)
		damaged := bytes.Clone(want)
		copy(damaged[signature(want):], bytes.Repeat([]byte{0x55}, len(want)))
		for name, program := range map[string][]byte{
			"signed already": want,
			"damaged":        damaged,
			"longer":         lengthen(want, 5000),
			"shorter":        shorten(want),
			"unsigned":       strip(want),
		} {
			if got := sign(t, program); !bytes.Equal(got, want) {
				t.Errorf("%s, %q: the signed program differs from that of the linker, %d and %d bytes", name, flags, len(got), len(want))
			}
		}
	}
}

// shorten cuts half of the signature off.
func shorten(b []byte) []byte {
	n := (len(b) - signature(b)) / 2
	b = bytes.Clone(b[:len(b)-n])
	c, l := signatureCommand(b), linkEdit(b)
	le.PutUint32(b[c+12:], le.Uint32(b[c+12:])-uint32(n))
	le.PutUint64(b[l+32:], le.Uint64(b[l+32:])-uint64(n))
	le.PutUint64(b[l+48:], le.Uint64(b[l+48:])-uint64(n))
	return b
}

// The same content, made by the linker and by writing into a finished program.
func TestPatchedProgramIsSignedAsTheLinkerSignsThatContent(t *testing.T) {
	one, two := build(t, "arm64", "one"), build(t, "arm64", "two")
	if len(one) != len(two) || bytes.Equal(one[signature(one):], two[signature(two):]) {
		t.Fatal("the two programs were to differ in content and signature alone")
	}
	patched := append(bytes.Clone(two[:signature(two)]), one[signature(one):]...)
	if got := sign(t, patched); !bytes.Equal(got, two) {
		t.Error("the signature is not that of the linker")
	}
}

func TestProgramsForAMD64GetASignature(t *testing.T) {
	program := build(t, "amd64", "one")
	if signed, err := codesign.Signed(bytes.NewReader(program), int64(len(program))); signed || err != nil {
		t.Fatalf("the linker's: signed %v, %v", signed, err)
	}
	got := sign(t, program)
	if signed, err := codesign.Signed(bytes.NewReader(got), int64(len(got))); !signed || err != nil {
		t.Errorf("ours: signed %v, %v", signed, err)
	}
	if again := sign(t, got); !bytes.Equal(again, got) {
		t.Error("signing twice makes a difference")
	}
	f, err := macho.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	link := f.Segment("__LINKEDIT")
	if link.Offset+link.Filesz != uint64(len(got)) || link.Memsz < link.Filesz || signature(got)%16 != 0 {
		t.Errorf("__LINKEDIT is %+v in a file of %d bytes, the signature at %d", link.SegmentHeader, len(got), signature(got))
	}
	if !bytes.Equal(got[4096:len(program)], program[4096:]) {
		t.Error("the content was changed")
	}
}

// Where the last segment takes whole pages of memory, it goes on doing so.
func TestMemoryOfTheLastSegment(t *testing.T) {
	signed := tiny(true)
	n := uint64(len(signed)) - le.Uint64(signed[linkEdit(signed)+40:]) // its length in the file
	for _, c := range []struct {
		memory, want uint64
		cpu          uint32
	}{
		{n, n, 0x0100000c},
		{0x8000, 0x8000, 0x0100000c},
		{8, 0x4000, 0x0100000c},
		{8, 0x1000, 0x01000007},
	} {
		b := lengthen(signed, 16)
		le.PutUint64(b[linkEdit(b)+32:], c.memory)
		if c.memory == n {
			le.PutUint64(b[linkEdit(b)+32:], n+16)
		}
		le.PutUint32(b[4:], c.cpu)
		got := sign(t, b)
		if memory := le.Uint64(got[linkEdit(got)+32:]); memory != c.want {
			t.Errorf("of %#x on %#x: %#x, want %#x", c.memory, c.cpu, memory, c.want)
		}
	}
}

// tiny is the smallest program that can be signed: two segments, the first
// with a section, and if wanted a signature.
func tiny(signed bool) []byte {
	b := make([]byte, 512)
	put32 := func(at int, values ...uint32) {
		for i, v := range values {
			le.PutUint32(b[at+4*i:], v)
		}
	}
	put32(0, 0xfeedfacf, 0x0100000c, 0, 2, 2, 72+80+72)
	put32(32, 0x19, 72+80)
	copy(b[40:], "__TEXT")
	le.PutUint64(b[32+32:], 4096)
	le.PutUint64(b[32+48:], 400)
	put32(32+64, 1)
	le.PutUint64(b[32+72+40:], 100)
	put32(32+72+48, 300)
	link := 32 + 72 + 80
	put32(link, 0x19, 72)
	copy(b[link+8:], "__LINKEDIT")
	le.PutUint64(b[link+24:], 1<<32)
	le.PutUint64(b[link+32:], 112)
	le.PutUint64(b[link+40:], 400)
	le.PutUint64(b[link+48:], 112)
	if !signed {
		return b
	}
	m := &memory{b}
	if _, err := codesign.Sign(m, int64(len(b))); err != nil {
		panic(err)
	}
	return m.b
}

func TestBadProgramsAreRefusedAndLeftAlone(t *testing.T) {
	edit := func(program []byte, change func(b []byte) []byte) []byte { return change(bytes.Clone(program)) }
	plain, signed := tiny(false), tiny(true)
	for _, c := range []struct {
		name, want string
		program    []byte
	}{
		{"empty", "its headers have 32 bytes, the file 0", nil},
		{"a script", "it begins with 23212f62", []byte("#!/bin/sh\necho this is not a program\n")},
		{"universal", "take them apart with lipo", append([]byte{0xca, 0xfe, 0xba, 0xbe}, make([]byte, 60)...)},
		{"universal, 64 bit", "take them apart with lipo", append([]byte{0xca, 0xfe, 0xba, 0xbf}, make([]byte, 60)...)},
		{"32 bit", "it begins with cefaedfe", edit(plain, func(b []byte) []byte { b[0] = 0xce; return b })},
		{"processor", "processor type 0x12, not for amd64 or arm64", edit(plain, func(b []byte) []byte { le.PutUint32(b[4:], 18); return b })},
		{"commands", "5000 load commands", edit(plain, func(b []byte) []byte { le.PutUint32(b[16:], 5000); return b })},
		{"one command more", "its load commands are cut off", edit(plain, func(b []byte) []byte { b[16]++; return b })},
		{"one command less", "72 bytes follow its load commands", edit(plain, func(b []byte) []byte { b[16]--; return b })},
		{"short command", "a load command has 4 bytes", edit(plain, func(b []byte) []byte { b[36] = 4; return b })},
		{"endless command", "a load command has 4294967295 bytes", edit(plain, func(b []byte) []byte { le.PutUint32(b[36:], 1<<32-1); return b })},
		{"sections", "a segment of 200 sections has 152 bytes", edit(plain, func(b []byte) []byte { b[96] = 200; return b })},
		{"segment", "a segment is at 0 and 1000 bytes long, the file has 512", edit(plain, func(b []byte) []byte { le.PutUint64(b[80:], 1000); return b })},
		{"negative", "a segment is at 0 and -1 bytes long", edit(plain, func(b []byte) []byte { le.PutUint64(b[80:], 1<<64-1); return b })},
		{"no text", "it lacks the segment __TEXT or __LINKEDIT", edit(plain, func(b []byte) []byte { b[40] = 'x'; return b })},
		{"trailing bytes", "its segment __LINKEDIT is from 400 to 512, the file has 513 bytes", edit(plain, func(b []byte) []byte { return append(b, 0) })},
		{"no room", "its headers have no room for a signature", edit(plain, func(b []byte) []byte { le.PutUint32(b[32+72+48:], 260); return b })},
		{"used room", "the room behind its headers is used", edit(plain, func(b []byte) []byte { b[260] = 1; return b })},
		{"two signatures", "its signature is named twice", edit(signed, func(b []byte) []byte {
			b[16]++
			le.PutUint32(b[20:], le.Uint32(b[20:])+16)
			return append(append(b[:272:272], b[256:272]...), b[288:]...)
		})},
		{"no place", "its signature has no place", edit(signed, func(b []byte) []byte { le.PutUint32(b[264:], 0); return b })},
		{"signature in front", "its signature is from 16 to", edit(signed, func(b []byte) []byte { le.PutUint32(b[264:], 16); return b })},
		{"something behind", "a segment lies behind __LINKEDIT", edit(plain, func(b []byte) []byte { le.PutUint64(b[32+24:], 1<<40); return b })},
	} {
		m := &memory{bytes.Clone(c.program)}
		_, err := codesign.Sign(m, int64(len(m.b)))
		if !errors.Is(err, codesign.ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if !bytes.Equal(m.b, c.program) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

func TestErrorsOfTheFileComeBack(t *testing.T) {
	b := tiny(true)
	if _, err := codesign.Sign(&memory{b[:100]}, int64(len(b))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file shorter than said: %v", err)
	}
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := codesign.Sign(f, int64(len(b))); err == nil || errors.Is(err, codesign.ErrFormat) {
		t.Errorf("a file that cannot be written: %v", err)
	}
}

func FuzzSign(f *testing.F) {
	f.Add(tiny(false))
	f.Add(tiny(true))
	f.Add(lengthen(tiny(true), 100))
	f.Add(append([]byte{0xca, 0xfe, 0xba, 0xbe}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &memory{bytes.Clone(b)}
		size, err := codesign.Sign(m, int64(len(b)))
		if err != nil {
			if !errors.Is(err, codesign.ErrFormat) || !bytes.Equal(m.b, b) {
				t.Fatalf("%v; changed: %v", err, !bytes.Equal(m.b, b))
			}
			return
		}
		if size != int64(len(m.b)) || size > int64(len(b))+256+int64(len(b))/64 {
			t.Fatalf("%d bytes became %d", len(b), size)
		}
		once := bytes.Clone(m.b)
		if _, err := codesign.Sign(m, size); err != nil || !bytes.Equal(m.b, once) {
			t.Fatalf("signing twice: %v", err)
		}
	})
}
