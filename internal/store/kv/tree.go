package kv

import (
	"slices"
	"strings"
)

// maxItems is how many items a node of a tree holds at most. Odd, so that a
// full node splits into two equal halves around its middle.
const maxItems = 31

// item is one key of a tree. A nil value says that the key was deleted, which
// hides what older files say of it.
type item struct {
	key   string
	value []byte
	n     uint64 // the number of the fact that set it
}

// tree is an ordered map that only grows, a B-tree whose nodes are shared by
// copies: freeze hands out the present content for good, and later calls of
// set copy what they touch. So readers need no lock and lists see one moment.
type tree struct {
	root  *node
	owner *owner
	size  int
}

// owner marks the nodes that a tree made since its last freeze, which it may
// change in place. It is not empty, so that each has an address of its own.
type owner struct{ _ byte }

type node struct {
	owner *owner
	items []item
	kids  []*node // none, or one more than items
}

// freeze returns the root of the present content, which never changes again.
func (t *tree) freeze() *node {
	t.owner = nil
	return t.root
}

// set adds an item or replaces the one with its key.
func (t *tree) set(it item) {
	if t.owner == nil {
		t.owner = new(owner)
	}
	switch {
	case t.root == nil:
		t.root = &node{owner: t.owner}
	case len(t.root.items) == maxItems:
		t.root = &node{owner: t.owner, kids: []*node{t.root}}
		t.split(t.root, 0)
	default:
		t.root = t.own(t.root)
	}
	t.insert(t.root, it)
}

// insert puts an item below n, which belongs to t and is not full.
func (t *tree) insert(n *node, it item) {
	for {
		i, found := n.find(it.key)
		if found {
			n.items[i] = it
			return
		}
		if len(n.kids) == 0 {
			n.items = slices.Insert(n.items, i, it)
			t.size++
			return
		}
		if len(n.kids[i].items) == maxItems {
			t.split(n, i)
			continue
		}
		n.kids[i] = t.own(n.kids[i])
		n = n.kids[i]
	}
}

// split halves the full child i of n; its middle item moves up into n.
func (t *tree) split(n *node, i int) {
	left := t.own(n.kids[i])
	const mid = maxItems / 2
	right := &node{owner: t.owner, items: roomy(left.items[mid+1:])}
	if len(left.kids) > 0 {
		right.kids = slices.Clone(left.kids[mid+1:])
		left.kids = slices.Clip(left.kids[:mid+1])
	}
	n.items = slices.Insert(n.items, i, left.items[mid])
	clear(left.items[mid:])
	left.items = left.items[:mid]
	n.kids[i] = left
	n.kids = slices.Insert(n.kids, i+1, right)
}

// own returns n itself if this tree may change it, else a copy.
func (t *tree) own(n *node) *node {
	if n.owner == t.owner {
		return n
	}
	return &node{owner: t.owner, items: roomy(n.items), kids: slices.Clone(n.kids)}
}

// roomy copies items with space for a few more.
func roomy(items []item) []item {
	return append(make([]item, 0, min(maxItems, len(items)+len(items)/4+1)), items...)
}

// find returns where a key stands in the node, or would. Written out, because
// replaying a log is mostly this.
func (n *node) find(key string) (int, bool) {
	low, high := 0, len(n.items)
	for low < high {
		mid := int(uint(low+high) / 2)
		switch c := strings.Compare(n.items[mid].key, key); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// get returns the item of a key. A nil root is an empty tree.
func (n *node) get(key string) (item, bool) {
	for n != nil {
		i, found := n.find(key)
		if found {
			return n.items[i], true
		}
		if len(n.kids) == 0 {
			break
		}
		n = n.kids[i]
	}
	return item{}, false
}

// treeCursor walks a frozen tree in order.
type treeCursor struct {
	path []step
}

// step is a node on the way to the cursor and the next item of it.
type step struct {
	n *node
	i int
}

// seek returns a cursor at the first item whose key is not below start.
func (n *node) seek(start string) *treeCursor {
	c := &treeCursor{}
	for n != nil {
		i, found := n.find(start)
		c.path = append(c.path, step{n, i})
		if found || len(n.kids) == 0 {
			break
		}
		n = n.kids[i]
	}
	c.climb()
	return c
}

// item returns the item at the cursor, or false at the end.
func (c *treeCursor) item() (item, bool) {
	if len(c.path) == 0 {
		return item{}, false
	}
	s := c.path[len(c.path)-1]
	return s.n.items[s.i], true
}

// next moves to the following item.
func (c *treeCursor) next() {
	s := &c.path[len(c.path)-1]
	s.i++
	if len(s.n.kids) > 0 {
		for n := s.n.kids[s.i]; ; n = n.kids[0] {
			c.path = append(c.path, step{n, 0})
			if len(n.kids) == 0 {
				break
			}
		}
	}
	c.climb()
}

// climb leaves the nodes that are used up.
func (c *treeCursor) climb() {
	for len(c.path) > 0 {
		s := c.path[len(c.path)-1]
		if s.i < len(s.n.items) {
			return
		}
		c.path = c.path[:len(c.path)-1]
	}
}
