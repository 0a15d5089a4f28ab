package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"debug/macho"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/codesign"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/patch"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// extractCommands are what the scripts of "adm release extract" can say.
var extractCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"programs":        cmdPrograms,       // programs VAR/repo VAR/repo NAME version: pushes a release with programs: its image, its components, and where it says that they are
	"programs-multi":  cmdProgramsMulti,  // programs-multi VAR/repo VAR/repo NAME version: the same for amd64 and arm64
	"program":         cmdProgram,        // program FILE PATH [image [version [arch]]]: the file is that program with the values in it
	"private-key":     cmdPrivateKey,     // private-key FILE [passphrase]: makes a key that signs, FILE.pub is for checking
	"signed-by":       cmdSignedBy,       // [!] signed-by FILE.pub FILE: the signature FILE.asc is of that key and fits
	"programs-layout": cmdProgramsLayout, // programs-layout DIR NAME version: the same as an OCI image layout
	"unpack":          cmdUnpack,         // unpack FILE: the entries of an archive as files in FILE.d, their headers in FILE.list
}

// at opens VAR/repo.
func at(ts *testscript.TestScript, place string) (registry, path string) {
	registry, path, _ = strings.Cut(place, "/")
	if registries(ts)[registry] == nil {
		ts.Fatalf("no registry %s", registry)
	}
	return registry, path
}

func toolSpec(args []string) sample.ReleaseSpec {
	return sample.ReleaseSpec{Version: args[3], Repository: args[2]}
}

func cmdPrograms(ts *testscript.TestScript, _ bool, args []string) {
	r := sample.New(11).ToolRelease(toolSpec(args))
	host, path := at(ts, args[0])
	componentHost, componentPath := at(ts, args[1])
	ts.Check(r.Push(context.Background(), open(ts, host, path), open(ts, componentHost, componentPath)))
	ts.Setenv("RELEASE", registries(ts)[host].addr+"/"+path+":"+r.Tag())
	ts.Setenv("RELEASE_REPO", registries(ts)[host].addr+"/"+path)
	ts.Setenv("RELEASE_DIGEST", r.Image.Desc.Digest.String())
	for _, c := range r.Components {
		ts.Setenv("DIGEST_"+strings.ReplaceAll(c.Name, "-", "_"), c.Image.Desc.Digest.String())
		ts.Setenv("LAYER_"+strings.ReplaceAll(c.Name, "-", "_"), c.Image.Blobs[len(c.Image.Blobs)-2].Desc.Digest.Hex())
		ts.Setenv("BASE_"+strings.ReplaceAll(c.Name, "-", "_"), c.Image.Blobs[1].Desc.Digest.Hex())
	}
}

func cmdProgramsMulti(ts *testscript.TestScript, _ bool, args []string) {
	image, components := sample.New(12).ToolReleases(toolSpec(args), sample.AMD64, sample.ARM64)
	host, path := at(ts, args[0])
	componentHost, componentPath := at(ts, args[1])
	for _, c := range components {
		ts.Check(c.Image.Push(context.Background(), open(ts, componentHost, componentPath)))
	}
	ts.Check(image.Push(context.Background(), open(ts, host, path), args[3]+"-multi"))
	ts.Setenv("RELEASE", registries(ts)[host].addr+"/"+path+":"+args[3]+"-multi")
	ts.Setenv("RELEASE_DIGEST", image.Desc.Digest.String())
}

func cmdProgramsLayout(ts *testscript.TestScript, _ bool, args []string) {
	r := sample.New(11).ToolRelease(toolSpec(append([]string{""}, args...)))
	dir := ts.MkAbs(args[0])
	put := func(name string, content []byte) {
		ts.Check(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		ts.Check(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	var entries []oci.Descriptor
	for _, im := range r.Images() {
		put("blobs/sha256/"+im.Desc.Digest.Hex(), im.Body)
		for _, b := range im.Blobs {
			content, err := b.Open(context.Background(), 0)
			ts.Check(err)
			body, err := io.ReadAll(content)
			ts.Check(err)
			put("blobs/sha256/"+b.Desc.Digest.Hex(), body)
		}
		entries = append(entries, im.Desc)
	}
	entries[len(entries)-1].Annotations = map[string]string{"org.opencontainers.image.ref.name": r.Tag()}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": entries})
	ts.Check(err)
	put("index.json", index)
	put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

func cmdPrivateKey(ts *testscript.TestScript, _ bool, args []string) {
	key, err := openpgp.NewEntity("Test", "not for use", "test@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	ts.Check(err)
	var public, private bytes.Buffer
	ts.Check(key.Serialize(&public))
	if len(args) > 1 {
		ts.Check(key.EncryptPrivateKeys([]byte(args[1]), nil))
	}
	ts.Check(key.SerializePrivateWithoutSigning(&private, nil))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), private.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), public.Bytes(), 0o600))
}

func cmdSignedBy(ts *testscript.TestScript, neg bool, args []string) {
	ring, err := openpgp.ReadKeyRing(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	_, _, err = openpgp.VerifyArmoredDetachedSignature(ring, strings.NewReader(ts.ReadFile(args[1])), strings.NewReader(ts.ReadFile(args[1]+".asc")), nil)
	if (err == nil) == neg {
		ts.Fatalf("%s: %v", args[1], err)
	}
}

// patched writes values into a program in the simplest way there is.
func patched(program []byte, values []string) []byte {
	replacements := []func(string) patch.Replacement{patch.ReleaseImage, patch.Version, patch.Architecture}
	for i, value := range values {
		if at := bytes.Index(program, replacements[i](value).Marker); at >= 0 && value != "-" {
			copy(program[at:], value+"\x00")
		}
	}
	return program
}

func cmdProgram(ts *testscript.TestScript, _ bool, args []string) {
	got, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	want := patched(sample.New(0).Program(args[1]), args[2:])
	if strings.Contains(args[1], "/mac") {
		checkSigned(ts, args[0], got)
		got, want = segment(ts, got), segment(ts, want)
	}
	if !bytes.Equal(got, want) {
		ts.Fatalf("%s has %d bytes and is not %s, of %d bytes, with the values %q", args[0], len(got), args[1], len(want), args[2:])
	}
}

// segment returns the text of a program for macOS: all but headers and signature.
func segment(ts *testscript.TestScript, program []byte) []byte {
	f, err := macho.NewFile(bytes.NewReader(program))
	ts.Check(err)
	s := f.Sections[0]
	return program[s.Offset : uint64(s.Offset)+s.Size]
}

// checkSigned signs a copy again, which makes no difference to what is right.
func checkSigned(ts *testscript.TestScript, name string, program []byte) {
	f, err := os.CreateTemp(ts.MkAbs("."), "signed")
	ts.Check(err)
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(program)
	ts.Check(err)
	size, err := codesign.Sign(f, int64(len(program)))
	ts.Check(err)
	again, err := os.ReadFile(f.Name())
	ts.Check(err)
	if size != int64(len(program)) || !bytes.Equal(again, program) {
		ts.Fatalf("%s is not signed for what it is", name)
	}
}

func cmdUnpack(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(name+".d", 0o755))
	var list strings.Builder
	put := func(entry string, body io.Reader) {
		content, err := io.ReadAll(body)
		ts.Check(err)
		ts.Check(os.WriteFile(name+".d/"+entry, content, 0o600))
	}
	defer func() { ts.Check(os.WriteFile(name+".list", []byte(list.String()), 0o600)) }()
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.OpenReader(name)
		ts.Check(err)
		defer z.Close()
		for _, f := range z.File {
			list.WriteString(f.Mode().String() + " " + f.Modified.UTC().Format("2006-01-02T15:04:05") + " " + f.Name + "\n")
			body, err := f.Open()
			ts.Check(err)
			put(f.Name, body)
		}
		return
	}
	file, err := os.Open(name)
	ts.Check(err)
	defer file.Close()
	z, err := gzip.NewReader(file)
	ts.Check(err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		ts.Check(err)
		list.WriteString(h.FileInfo().Mode().String() + " " + h.ModTime.UTC().Format("2006-01-02T15:04:05") + " " + h.Name)
		if h.Typeflag == tar.TypeLink {
			list.WriteString(" is " + h.Linkname)
		} else {
			put(h.Name, r)
		}
		list.WriteString("\n")
	}
}
