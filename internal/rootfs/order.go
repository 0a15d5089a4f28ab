package rootfs

import (
	"errors"
	"slices"
	"strings"
)

// errPast ends the reading of a layer that has nothing at the path.
var errPast = errors.New("past the path")

// order follows the names of a layer as long as they are in order, each
// directory before what lies in it.
type order struct {
	path string // that is looked for
	last []string
	lost bool // the names are not in order, or concern the path
}

// past reports whether what lies at the path would have come before a name, and
// did not. A nil order never knows.
func (o *order) past(name string) bool {
	if o == nil || o.lost || name == "." {
		return false
	}
	if w, ok := Whiteout(name); ok {
		o.lost = Covers(w.path, o.path) || Covers(o.path, w.path)
		return false
	}
	names := strings.Split(name, "/")
	if Covers(o.path, name) || slices.Compare(names, o.last) < 0 {
		o.lost = true
		return false
	}
	o.last = names
	return slices.Compare(names, strings.Split(o.path, "/")) > 0 && name > o.path+afterSlash
}

// afterSlash is the letter that follows the slash: tools that compare paths as
// they are written put "configs-old" between "configs" and what lies in it.
const afterSlash = "0"
