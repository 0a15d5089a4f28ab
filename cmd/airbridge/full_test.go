//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// TestPlanDoesNotFit mirrors what is larger than the disk: an error with the
// figures, before the first blob is asked for, and nothing written.
func TestPlanDoesNotFit(t *testing.T) {
	for _, form := range []string{"store", "v2"} {
		t.Run(form, func(t *testing.T) {
			src, dir := newSlowSource(t, 10<<20), targetBelow(t, mountSmall(t), form)
			before := files(t, dir)
			start(t, src.mirrorTo(dir)...).exits(t, 1, "error: not enough space in "+dir, "bytes needed, ", " free", "hint: make room")
			if n := src.blobRequests(); n > 0 {
				t.Errorf("%d blobs were asked for", n)
			}
			if after := files(t, dir); after != before {
				t.Errorf("files before: %s\nafter: %s", before, after)
			}
		})
	}
}

// TestDiskFills lets something else fill the disk in the middle of a blob. When
// there is room again the same command goes on with that blob.
func TestDiskFills(t *testing.T) {
	for _, form := range []string{"store", "v2"} {
		t.Run(form, func(t *testing.T) {
			disk := mountSmall(t)
			src, dir := newSlowSource(t, 4<<20), targetBelow(t, disk, form)
			run := start(t, src.mirrorTo(dir)...)
			<-src.reached
			until(func() bool { return size(src.partial(dir)) > 0 })
			filler := fill(t, disk)
			src.letGo()
			run.exits(t, 1, "not enough space in "+dir, "hint: ", "make room")
			verify(t, dir)

			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			start(t, src.mirrorTo(dir)...).exits(t, 0)
			verify(t, dir)
			checkDirectory(t, src, dir)
			if asked := src.ranges(); !strings.HasPrefix(asked[len(asked)-1], "bytes=") {
				t.Errorf("the blob was asked for from its beginning: %q", asked)
			}
		})
	}
}

// TestReadOnlyTarget mirrors to a directory that is mounted read-only.
func TestReadOnlyTarget(t *testing.T) {
	for _, c := range []struct {
		form string
		old  bool // the directory was written before it became read-only
	}{{"store", true}, {"v2", true}, {"v2", false}} {
		disk := mountSmall(t)
		src, dir := newSlowSource(t, 100_000), targetBelow(t, disk, c.form)
		src.letGo()
		if c.old {
			start(t, src.mirrorTo(dir)...).exits(t, 0)
		}
		command(t, "mount", "-o", "remount,ro", disk)
		start(t, append(src.mirrorTo(dir), "--force")...).exits(t, 1, "error: ", "read-only file system", "hint: the target is read-only")
		if c.old {
			verify(t, dir)
		}
	}
}

// TestServeFullDisk pushes to a server whose disk is full: the client is told
// so, and when there is room again the push goes through.
func TestServeFullDisk(t *testing.T) {
	disk := mountSmall(t)
	src, dir := newSlowSource(t, 2<<20), targetBelow(t, disk, "store")
	src.letGo()
	srv := serve(t, dir)
	filler := fill(t, disk)
	push := []string{"image", "mirror", "--insecure", src.addr + "/team/app:v1", srv.addr + "/my/app:v1"}
	start(t, push...).exits(t, 1, "error: ", "the registry's disk is full", "hint: ", "make room there")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	start(t, push...).exits(t, 0)
	send(t, srv.run, os.Interrupt)
	srv.run.exits(t, 0)
	verify(t, dir)
	checkDirectory(t, src, dir)
}

// mountSmall mounts a disk of 8 MiB in memory until the test ends.
func mountSmall(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk takes root")
	}
	dir := t.TempDir()
	mount := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		peer.Missing(t, "mounting a small disk: "+err.Error()+": "+string(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// fill takes all the room there is on a disk.
func fill(t *testing.T, disk string) (name string) {
	t.Helper()
	name = filepath.Join(disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	return name
}

// files lists what is in a directory, "" where it is not there.
func files(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			out.WriteString(name + "\n")
		}
		return nil
	})
	return out.String()
}

func checkDirectory(t *testing.T, src *slowSource, dir string) {
	t.Helper()
	d, err := mirror.OpenDirectory(t.Context(), dir, mirror.DirectoryOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(t.Context())
	src.check(t, d.Registry)
}
