package rootfs

import (
	"path"
	"strings"
)

// EntryName returns the name of an entry of a layer, or the target of a hard
// link, as a path relative to the root of the image, "." for the root. It is not
// ok where it leads out of the image.
func EntryName(name string) (clean string, ok bool) {
	name = path.Clean(strings.TrimLeft(name, "/"))
	return name, name != ".." && !strings.HasPrefix(name, "../")
}

// Resolve returns where a symbolic link leads: no higher than the root.
func Resolve(link, target string) string {
	if !path.IsAbs(target) {
		target = path.Join("/", path.Dir(link), target)
	}
	if target = strings.TrimPrefix(path.Clean(target), "/"); target == "" {
		return "."
	}
	return target
}

// Covers reports whether a path is, or lies below, another one.
func Covers(above, name string) bool {
	return above == "." || name == above || strings.HasPrefix(name, above+"/")
}

// Whiteouts are entries that remove what lower layers have (OCI image-spec,
// layer.md).
const (
	whiteoutPrefix = ".wh."
	opaqueMark     = ".wh..wh..opq"
)

// Wipe is what an entry hides in lower layers.
type Wipe struct {
	path  string
	below bool // only what lies below it
}

// Whiteout returns what a whiteout removes, and whether an entry is one. The
// specification has none without a name after the prefix; engines join that with
// the directory, and remove the directory.
func Whiteout(name string) (w Wipe, ok bool) {
	dir, base := path.Dir(name), path.Base(name)
	if base == opaqueMark {
		return Wipe{path: dir, below: true}, true
	}
	base, ok = strings.CutPrefix(base, whiteoutPrefix)
	return Wipe{path: path.Join(dir, base)}, ok
}

// Hides reports whether lower layers cannot have a path because of it.
func (w Wipe) Hides(name string) bool {
	return Covers(w.path, name) && (!w.below || name != w.path)
}
