package kv

import (
	"container/list"
	"sync"
)

// cachedBlocks is how many blocks of a snapshot stay in memory, about 2 MiB.
const cachedBlocks = 256

// blockCache keeps the blocks that were used last.
type blockCache struct {
	mu    sync.Mutex
	found map[int]*list.Element
	order *list.List // of cachedBlock, the last used in front
}

type cachedBlock struct {
	number int
	data   []byte
}

func newBlockCache() *blockCache {
	return &blockCache{found: make(map[int]*list.Element), order: list.New()}
}

func (c *blockCache) get(number int) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.found[number]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cachedBlock).data, true
}

func (c *blockCache) put(number int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.found[number]; ok {
		return
	}
	c.found[number] = c.order.PushFront(cachedBlock{number, data})
	if c.order.Len() > cachedBlocks {
		last := c.order.Back()
		delete(c.found, c.order.Remove(last).(cachedBlock).number)
	}
}
