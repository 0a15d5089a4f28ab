//go:build linux

package ocdir

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// granted runs what takes rights that a user or a container may lack: without
// them the test is skipped, or fails under CI.
func granted(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		peer.Missing(t, name+" "+strings.Join(args, " ")+": "+err.Error()+": "+string(out))
	}
	return string(out)
}

// needFUSE skips where mounting is not possible for this user.
func needFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		peer.Missing(t, "mounting needs /dev/fuse: "+err.Error())
		return
	}
	must(t, f.Close())
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	// Lazily: a directory that was opened stays open until it is collected.
	if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
		t.Errorf("umount %s: %v: %s", dir, err, out)
	}
}

// exFAT mounts a new exFAT file system. The driver takes block devices only.
func exFAT(t *testing.T) string {
	t.Helper()
	mkfs, mount, losetup := peer.Need(t, "mkfs.exfat"), peer.Need(t, "mount.exfat-fuse"), peer.Need(t, "losetup")
	needFUSE(t)
	image, dir := filepath.Join(t.TempDir(), "exfat.img"), t.TempDir()
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 32<<20))
	run(t, mkfs, image)
	device := strings.TrimSpace(granted(t, losetup, "--find", "--show", image))
	t.Cleanup(func() { run(t, losetup, "--detach", device) })
	granted(t, mount, device, dir)
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// exFAT has neither links nor colons: oc's form is refused before anything is
// written, and a store works.
func TestExFATTakesNoNewDirectory(t *testing.T) {
	dir := exFAT(t)
	files, err := fsys.OS(dir)
	must(t, err)
	if err := Possible(files); err == nil {
		t.Error("exFAT is said to take links")
	}
	if left := describeTree(t, dir); len(left) > 0 {
		t.Errorf("the probe leaves %v", left)
	}
	must(t, store.Init(files))
	s, err := store.Open(files, "test")
	must(t, err)
	repotest.Fill(t, registryOf(&Dir{CAS: s.CAS, KV: s.KV}, optionsOf(false)))
	must(t, s.Close())
	again, err := store.OpenReadOnly(files, clock)
	must(t, err)
	defer again.Close()
	repotest.RunRead(t, func(*testing.T) repoRegistry {
		return registryOf(&Dir{CAS: again.CAS, KV: again.KV}, optionsOf(true))
	}, repotest.Features{})
}

// Media that were written on Windows to exFAT, where links became files.
func TestReadsFromExFAT(t *testing.T) {
	dir, media := exFAT(t), realMedia(t)
	copyTree(t, media+"/release", dir, separated("-"), dereference)
	checkWhole(t, openDir(t, dir, true), printedTags(t, media+"/release.stdout"))
}

// A read-only disc, with links (Rock Ridge).
func TestReadsFromISO(t *testing.T) {
	mkiso, mount := peer.Need(t, "genisoimage"), peer.Need(t, "fuseiso")
	needFUSE(t)
	media := realMedia(t)
	for _, tree := range []string{"release", "images"} {
		image, dir := filepath.Join(t.TempDir(), "disc.iso"), t.TempDir()
		run(t, mkiso, "-quiet", "-R", "-o", image, filepath.Join(media, tree))
		granted(t, mount, "-n", image, dir) // without a file in the home directory
		t.Cleanup(func() { unmount(t, dir) })
		checkWhole(t, openDir(t, dir, true), printedTags(t, filepath.Join(media, tree+".stdout")))
		if _, err := os.Create(filepath.Join(dir, "x")); err == nil {
			t.Error("the disc can be written, which proves nothing")
		}
	}
}
