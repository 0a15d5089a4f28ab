package kv

import "sync"

// cachedBlocks is how many blocks of a snapshot stay in memory, about 2 MiB.
const cachedBlocks = 256

// blockCache keeps the blocks that were used lately: a ring, around which a hand
// goes to replace the first block that was not used since it came by.
type blockCache struct {
	mu    sync.Mutex
	found map[int]int // the slot of each block
	slots []cachedBlock
	hand  int
}

type cachedBlock struct {
	number int
	data   []byte
	used   bool
}

func newBlockCache() *blockCache { return &blockCache{found: make(map[int]int)} }

func (c *blockCache) get(number int) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.found[number]
	if !ok {
		return nil, false
	}
	c.slots[i].used = true
	return c.slots[i].data, true
}

func (c *blockCache) put(number int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.found[number]; ok {
		return
	}
	b := cachedBlock{number: number, data: data}
	if len(c.slots) < cachedBlocks {
		c.found[number] = len(c.slots)
		c.slots = append(c.slots, b)
		return
	}
	for c.slots[c.hand].used {
		c.slots[c.hand].used = false
		c.hand = (c.hand + 1) % cachedBlocks
	}
	delete(c.found, c.slots[c.hand].number)
	c.slots[c.hand], c.found[number] = b, c.hand
	c.hand = (c.hand + 1) % cachedBlocks
}
