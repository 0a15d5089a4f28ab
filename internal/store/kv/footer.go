package kv

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/airbridge-dev/airbridge/internal/repo"
)

// footer ends a snapshot and says what it is.
type footer struct {
	number uint64 // of the snapshot, as in its name
	next   uint64 // the number of the first fact that is not in it
	count  uint64 // entries
	blocks uint64
	index  uint64 // bytes of the index, its CRC included
	prev   link   // the last log that it stands for
}

const footerSize = 5*8 + 8 + 8 + 32 + crcSize + len(snapMagic)

// appendFooter appends the fixed form of a footer.
func appendFooter(b []byte, f footer) []byte {
	start := len(b)
	for _, v := range []uint64{f.number, f.next, f.count, f.blocks, f.index, f.prev.log, uint64(f.prev.bytes)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, f.prev.sum[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	return append(b, snapMagic...)
}

var errFooter = errors.New("its beginning or its end is damaged")

// parseFooter reads the last footerSize bytes of a snapshot that begins with
// start.
func parseFooter(b []byte, start string) (footer, error) {
	magic := string(b[footerSize-len(snapMagic):])
	if magic != snapMagic || start != snapMagic {
		return footer{}, versionOf(magic, start)
	}
	sum := b[footerSize-len(snapMagic)-crcSize:]
	body := b[:footerSize-len(snapMagic)-crcSize]
	if binary.LittleEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return footer{}, errFooter
	}
	u64 := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	f := footer{number: u64(0), next: u64(1), count: u64(2), blocks: u64(3), index: u64(4)}
	f.prev = link{log: u64(5), bytes: int64(u64(6)), sum: [32]byte(b[7*8:])}
	return f, nil
}

// versionOf tells a snapshot of a newer format, which begins and ends with its
// version, from a damaged one.
func versionOf(end, start string) error {
	last := len(snapMagic) - 1
	if end == start && end[:last] == snapMagic[:last] && end[last] > snapMagic[last] && end[last] <= '9' {
		return repo.NewerFormat("", int(end[last]-'0'), formatVersion)
	}
	return errFooter
}
