package kv

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"github.com/airbridge-dev/airbridge/internal/repo"
)

// formatVersion is the version of logs and snapshots that this code writes,
// and the only one it reads.
const formatVersion = 1

// link names the valid part of a log: its number, how many bytes of it count
// and their SHA-256. What follows it in the chain carries it, so that a file
// that is missing, changed or cut is noticed. The zero link is the beginning.
type link struct {
	log   uint64
	bytes int64
	sum   [32]byte
}

// header is the first line of a log.
//
// The last write of the log before may not be durable, even if it can be read
// and flushing that file succeeds: a flush that failed is not made good by a
// later one. So a new log goes on behind what is proven to be durable there
// and repeats the rest. It takes effect when all of the repetition is in it;
// until then the log before counts to its end.
type header struct {
	log   uint64 // its number, as in its name
	next  uint64 // the number of its first fact
	carry uint64 // how many facts at its beginning are repeated
	prev  link   // the log it continues
}

// headerJSON is the written form of a header, behind the checksum.
type headerJSON struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Log     uint64    `json:"log"`
	Next    uint64    `json:"next"`
	Carry   uint64    `json:"carry,omitempty"`
	Prev    *linkJSON `json:"prev,omitempty"`
}

type linkJSON struct {
	Log    uint64 `json:"log"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const formatName = "airbridge-facts"

// newHeader returns the first line of a log, with its line feed.
func newHeader(h header) []byte {
	j := headerJSON{Format: formatName, Version: formatVersion, Log: h.log, Next: h.next, Carry: h.carry}
	if h.prev.log > 0 {
		j.Prev = &linkJSON{h.prev.log, h.prev.bytes, hex.EncodeToString(h.prev.sum[:])}
	}
	body, err := json.Marshal(j)
	if err != nil {
		panic(err) // numbers and plain text always marshal
	}
	line := append(openLine(nil), body[1:len(body)-1]...)
	return closeLine(line, 0)
}

// parseHeader reads a first line without its line feed.
func parseHeader(line []byte) (header, error) {
	fields, err := checkLine(line)
	if err != nil {
		return header{}, err
	}
	var j headerJSON
	object := append(append([]byte{'{'}, fields...), '}')
	if err := json.Unmarshal(object, &j); err != nil || j.Format != formatName {
		return header{}, errFields
	}
	if j.Version > formatVersion {
		return header{}, repo.NewerFormat("", j.Version, formatVersion)
	}
	h := header{log: j.Log, next: j.Next, carry: j.Carry}
	if j.Prev != nil {
		h.prev, err = parseLink(*j.Prev)
	}
	if h.log <= h.prev.log || h.next+h.carry < h.next {
		return header{}, errFields
	}
	if err != nil || !bytes.Equal(newHeader(h), append(bytes.Clone(line), '\n')) {
		return header{}, errFields
	}
	return h, nil
}

func parseLink(j linkJSON) (link, error) {
	l := link{log: j.Log, bytes: j.Bytes}
	sum, err := hex.DecodeString(j.SHA256)
	if err != nil || len(sum) != len(l.sum) || l.log == 0 || l.bytes <= 0 {
		return link{}, errFields
	}
	copy(l.sum[:], sum)
	return l, nil
}
