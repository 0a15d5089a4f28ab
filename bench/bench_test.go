//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// The floor copies a generated load from a registry to a directory, and from
// there to another registry, which then has all of it.
func TestFloorCopiesALoad(t *testing.T) {
	peer.Need(t, "docker-registry")
	dir, disk := filepath.Join(t.TempDir(), "load"), t.TempDir()
	if err := generateTiny(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	source := peer.DockerRegistry(t, peer.RegistryOptions{Dir: filepath.Join(dir, "storage"), ReadOnly: true})
	target := peer.DockerRegistry(t, peer.RegistryOptions{})
	list := filepath.Join(dir, "load.json")
	for _, ends := range [][2]string{{source.Addr, disk}, {disk, target.Addr}} {
		if err := floorMain(t.Context(), []string{"-list", list, ends[0], ends[1]}); err != nil {
			t.Fatal(err)
		}
	}
	b := bench{load: &load{}}
	body, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, b.load); err != nil {
		t.Fatal(err)
	}
	if n := len(b.load.Manifests); n < sample.TinyLoad.Images+1 {
		t.Errorf("the load has %d manifests", n)
	}
	if err := b.checkRegistry(t.Context(), place{addr: target.Addr}); err != nil {
		t.Error(err)
	}
	b.load.Blobs[0].Digest = sample.New(99).Layer(1).Desc.Digest
	if err := b.checkRegistry(t.Context(), place{addr: target.Addr}); err == nil {
		t.Error("the check misses a blob that is not there")
	}
}

func generateTiny(ctx context.Context, dir string) error {
	spec, err := json.Marshal(sample.TinyLoad)
	if err != nil {
		return err
	}
	return generateMain(ctx, []string{dir, string(spec)})
}

func TestFloorNoticesWrongContent(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	blob := sample.New(1).Layer(10)
	if err := os.WriteFile(filepath.Join(from, blob.Desc.Digest.Hex()), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(load{Blobs: []oci.Descriptor{blob.Desc}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "load.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := floorMain(t.Context(), []string{"-list", file, from, to}); err == nil {
		t.Error("wrong content was copied")
	}
}

func TestTraceCountsFlushesAndBytesOfFiles(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	text := `11 write(8</scratch/target-1/blob>, ""..., 100) = 100
11 write(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, ""..., 1000) = 1000
12 write(8</scratch/target-1/blob>, ""..., 50 <unfinished ...>
11 syncfs(3</scratch/target-1> <unfinished ...>
12 <... write resumed>) = 40
11 <... syncfs resumed>) = 0
11 write(2</dev/null>, ""..., 7) = 7
11 write(8</scratch/target-1/blob>, ""..., 9) = -1 ENOSPC (No space left on device)
11 pwrite64(8</scratch/target-1/blob>, ""..., 5, 0) = 5
11 fsync(8</scratch/target-1/blob>) = 0
`
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readTrace(log, "/scratch/target-")
	if err != nil {
		t.Fatal(err)
	}
	if got.written != 145 {
		t.Errorf("%d bytes written, want 145", got.written)
	}
	if want := "1 fsync, 0 fdatasync, 1 syncfs, 0 sync_file_range"; got.flushes() != want {
		t.Errorf("flushes %s, want %s", got.flushes(), want)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{[]float64{3, 1, 2}, "2.00 (1.00 to 3.00)"},
		{[]float64{4, 1, 2, 3}, "2.50 (1.00 to 4.00)"},
		{[]float64{1.0049}, "1.005"},
	} {
		if got := spreadOf(c.values).String(); got != c.want {
			t.Errorf("%v is %s, want %s", c.values, got, c.want)
		}
	}
}

func TestRatioIsTakenWithinARound(t *testing.T) {
	a := series{runs: []usage{{wall: 2}, {wall: 30}, {wall: 4}}}
	b := series{runs: []usage{{wall: 1}, {wall: 10}, {wall: 1}}}
	if got := ratio(a, b); got != (spread{3, 2, 4}) {
		t.Errorf("got %+v", got)
	}
}

func TestMegabytesAsWrkPrintsThem(t *testing.T) {
	for text, want := range map[string]float64{"1.50GB": 1610.612736, "250.00MB": 262.144, "10.00KB": 0.01024} {
		if got, err := megabytes(text); err != nil || got < want*0.999 || got > want*1.001 {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := megabytes("fast"); err == nil {
		t.Error("no error for a word")
	}
}

func TestWorksAreChosenByName(t *testing.T) {
	if chosen("", "S0") || !chosen("", "S4") || !chosen("S0,S2", "S0") || chosen("S1,S2", "S3") {
		t.Error("wrong choice")
	}
	if _, err := parse([]string{"-only", "S99", "-cache", t.TempDir()}); err == nil {
		t.Error("S99 was taken")
	}
}

// The load is made and served for the first work that reads it, and stays for the others.
func TestSourceIsMadeForWhoReadsIt(t *testing.T) {
	peer.Need(t, "docker-registry")
	dir := t.TempDir()
	b := &bench{config: config{cache: dir, scratch: filepath.Join(dir, "scratch"), dockerSource: true}, targets: &targets{scratch: dir}, spec: sample.TinyLoad}
	if err := generateTiny(t.Context(), filepath.Join(dir, "load-"+strconv.Itoa(sample.TinyLoad.Images)+"-"+loadVersion)); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	var seen []string
	w := work{name: "S", run: func(_ context.Context, b *bench) error {
		seen = append(seen, b.source.addr)
		return nil
	}}
	for _, w.reads = range []bool{false, true, true, false} {
		if err := b.do(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if seen[0] != "" || seen[1] == "" || seen[2] != seen[1] || seen[3] != seen[1] {
		t.Errorf("sources %q", seen)
	}
}

func TestCounterTellsKindsApart(t *testing.T) {
	c := counter{requests: map[string]int{}}
	for _, path := range []string{"/v2/", "/v2/a/manifests/v1", "/v2/a/blobs/sha256:1", "/v2/a/blobs/uploads/x", "/v2/a/tags/list"} {
		c.add(path)
	}
	if want := "1 manifests, 1 blobs, 1 uploads, 2 other"; c.String() != want || c.total() != 3 {
		t.Errorf("%s, total %d; want %s, 3", c.String(), c.total(), want)
	}
}
