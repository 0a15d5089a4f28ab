package server

import (
	"strconv"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// content is verified bytes, with the header values that go with them made
// once. Nothing in it ever changes.
type content struct {
	body        []byte
	contentType []string
	length      []string
	digest      []string
	etag        []string
}

func newContent(desc oci.Descriptor, body []byte) *content {
	d := desc.Digest.String()
	return &content{
		body:        body,
		contentType: []string{desc.MediaType},
		length:      []string{strconv.Itoa(len(body))},
		digest:      []string{d},
		etag:        []string{`"` + d + `"`},
	}
}

// key has the media type because that is a fact of the repository: the same
// bytes may be a manifest in one and a blob in another.
type key struct {
	digest    oci.Digest
	mediaType string
}

// cache holds contents by digest within a bound on their bytes. It says
// nothing on who may read what: that is asked of the repository first, every
// time. It keeps two generations: once the young one is full it becomes the
// old one and the old one is forgotten, so that what is in use survives, a
// hit costs one read lock, and there is no list to keep in order.
type cache struct {
	half       int64 // bytes of one generation
	mu         sync.RWMutex
	young, old map[key]*content
	bytes      int64 // of young
}

func newCache(limit int64) *cache {
	return &cache{half: limit / 2, young: map[key]*content{}, old: map[key]*content{}}
}

// entryCost is what one entry takes besides its body, in bytes, roughly.
const entryCost = 512

func (c *cache) get(k key) *content {
	c.mu.RLock()
	hit := c.young[k]
	aged := c.old[k]
	c.mu.RUnlock()
	if hit == nil && aged != nil {
		c.put(k, aged)
		return aged
	}
	return hit
}

// put keeps v unless it is too large to be worth the room of others.
func (c *cache) put(k key, v *content) {
	size := int64(len(v.body)) + entryCost
	if size > c.half/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young[k] != nil {
		return
	}
	if c.bytes+size > c.half {
		c.young, c.old, c.bytes = map[key]*content{}, c.young, 0
	}
	c.young[k] = v
	c.bytes += size
}

// buffers are the copy buffers of uploads, shared between requests.
type buffers struct{ pool sync.Pool }

// bufferSize is the largest piece handed to a store at once, in bytes.
const bufferSize = 256 << 10

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

func (b *buffers) get() *[bufferSize]byte {
	p, _ := b.pool.Get().(*[bufferSize]byte) // the pool holds nothing else
	return p
}

func (b *buffers) put(p *[bufferSize]byte) { b.pool.Put(p) }
