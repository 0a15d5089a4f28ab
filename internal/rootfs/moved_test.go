package rootfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// unpack does with the lines of layers what an engine does that unpacks them over
// each other: links above an entry are followed, what is in its way is replaced.
func unpack(t *testing.T, layers [][]string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	for i, lines := range layers {
		for _, removals := range []bool{true, false} { // which are of what lower layers have
			for _, line := range lines {
				if strings.Contains(line, ".wh.") == removals {
					unpackEntry(t, root, line, fmt.Sprint(i))
				}
			}
		}
	}
	return root
}

func unpackEntry(t *testing.T, root *os.Root, line, text string) {
	t.Helper()
	name, target, isLink := strings.Cut(line, " -> ")
	removed, isRemoval := strings.CutPrefix(path.Base(name), ".wh.")
	isDir := strings.HasSuffix(name, "/")
	name = strings.TrimSuffix(name, "/")
	err := root.MkdirAll(path.Dir(name), 0o700)
	if isRemoval {
		name = path.Join(path.Dir(name), removed)
	}
	if info, found := root.Lstat(name); found == nil && (!isDir || !info.IsDir()) {
		err = errors.Join(err, root.RemoveAll(name))
	}
	switch {
	case isRemoval:
	case isDir:
		err = errors.Join(err, root.MkdirAll(name, 0o700))
	case isLink:
		err = errors.Join(err, root.Symlink(target, name))
	default:
		err = errors.Join(err, root.WriteFile(name, []byte(text), 0o600))
	}
	if err != nil {
		t.Fatal(line, err)
	}
}

// Whatever layers say of a directory, by whichever links: all that an engine which
// unpacks them finds there is found.
func TestAsUnpacked(t *testing.T) {
	lines := []string{
		"configs/", "configs/a", "configs/b", "configs/d/c", "configs/.wh.a", ".wh.configs",
		"opt/", "opt/a", "opt/b", "opt/d/c", "opt/.wh.b", "usr/", "usr/a", "usr/d/c", "usr/.wh.a",
	}
	links := []string{"configs -> opt", "opt -> usr"}
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 300 {
		all := [][]string{{"opt/z", "usr/z"}}
		packed := [][]byte{layer("0", all[0]...)}
		has := map[string]int{links[0]: 1 + random.IntN(3), links[1]: 1 + random.IntN(3)}
		for i := 1; i < 4; i++ {
			var some []string
			taken := map[string]bool{} // a layer has a name once
			for _, at := range random.Perm(len(lines))[:3] {
				some = append(some, lines[at])
				for _, name := range []string{"configs", "opt", "usr"} {
					taken[name] = taken[name] || strings.HasPrefix(strings.TrimPrefix(lines[at], ".wh."), name)
				}
			}
			for _, link := range links {
				if has[link] == i && !taken[strings.Fields(link)[0]] {
					some = append([]string{link}, some...)
				}
			}
			all, packed = append(all, some), append(packed, layer(fmt.Sprint(i), some...))
		}
		compare(t, all, packed, &found)
	}
	if found < 100 {
		t.Error("hardly any had anything: ", found)
	}
}

func compare(t *testing.T, all [][]string, packed [][]byte, found *int) {
	t.Helper()
	want := content(unpack(t, all), "configs")
	r, _ := image(packed...)
	got, err := extract(t, r, "configs")
	if err != nil && (!errors.Is(err, rootfs.ErrNotThere) || len(want) > 0) {
		t.Fatal(all, err, want)
	}
	if len(want) > 0 {
		*found++
	}
	for name, text := range want {
		if got[name] != text {
			t.Fatal(all, cmp.Diff(want, got))
		}
	}
}

// content returns the files that lie in a directory, or where a link there leads.
func content(root *os.Root, dir string) map[string]string {
	files := map[string]string{}
	at, err := root.OpenRoot(dir)
	if err != nil {
		return files
	}
	defer at.Close()
	_ = fs.WalkDir(at.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := fs.ReadFile(at.FS(), name)
			files[name] = string(text)
		}
		return nil
	})
	return files
}
