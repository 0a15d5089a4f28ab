package rootfs

import (
	"path"
	"strings"
)

// detour is a symbolic link at the path or above it, which led elsewhere.
type detour struct {
	link, to string
	layer    int // that has the link
	entry    int // of the layer, which it is
}

// takeDetour looks for the path where a link leads.
func (t *tree) takeDetour(h header) {
	to := Resolve(h.name, h.target)
	t.detours = append(t.detours, detour{h.name, to, t.layer, t.number})
	t.moved = rebase(t.path, h.name, to)
}

// rebase moves what lies at or below one path to another.
func rebase(name, from, to string) string {
	return path.Join(to, strings.TrimPrefix(name, from))
}

// placed returns where an entry, or the target of a hard link, lies: a layer may
// have "configs/x" without "configs" itself, which is a link in a lower one. Engines
// that unpack layers over each other follow the link, as opm does. Those that keep
// layers apart find a directory there; what they see is all among what the
// others see, so that nothing is left out for anybody.
func (t *tree) placed(name string) string {
	written := name
	for _, d := range t.detours {
		if t.layer >= d.layer && name != d.link && Covers(d.link, name) && (name != written || t.behind(d)) {
			name = rebase(name, d.link, d.to)
		}
	}
	return name
}

// again notes that a lower layer has the link too: what lies above that was
// written by way of it.
func (t *tree) again(h header) {
	for i, d := range t.detours {
		if h.link == symbolic && h.name == d.link && t.layer < d.layer && Resolve(h.name, h.target) == d.to {
			t.detours[i].layer, t.detours[i].entry = t.layer, t.number
		}
	}
}

// behind reports whether an entry comes after a link: what comes before it in its
// layer, and lies below its name, was in a directory that it replaced.
func (t *tree) behind(d detour) bool { return t.layer > d.layer || t.number > d.entry }
