package codesign

import "io"

// makeRoom adds the load command for a signature that begins at the end of the
// file. The bytes between the load commands and the content must be free.
func (p *program) makeRoom(r io.ReaderAt) error {
	room := make([]byte, signatureSize)
	at := int64(len(p.head))
	if at+signatureSize > min(p.first, p.linkEdit.offset) {
		return wrong("its headers have no room for a signature")
	}
	if _, err := r.ReadAt(room, at); err != nil {
		return err
	}
	for _, b := range room {
		if b != 0 {
			return wrong("the room behind its headers is used for something else")
		}
	}
	p.signature.offset = roundUp(p.size, alignment)
	order.PutUint32(room, loadCodeSignature)
	order.PutUint32(room[4:], signatureSize)
	order.PutUint32(room[8:], uint32(p.signature.offset))
	p.command, p.changed = len(p.head), true
	p.head = append(p.head, room...)
	order.PutUint32(p.head[16:], order.Uint32(p.head[16:])+1)
	order.PutUint32(p.head[20:], order.Uint32(p.head[20:])+signatureSize)
	return nil
}

// setEnd writes into the headers that the signature, and with it the last
// segment, goes on to the given end of the file.
func (p *program) setEnd(end int64) error {
	length := uint64(end - p.linkEdit.offset)
	memory, err := p.memory(length)
	if err != nil {
		return err
	}
	order.PutUint64(p.head[p.linkEdit.at+32:], memory)
	order.PutUint64(p.head[p.linkEdit.at+48:], length)
	order.PutUint32(p.head[p.command+12:], uint32(end-p.signature.offset))
	p.changed = true
	return nil
}

// memory returns how much memory the last segment takes when it is length
// bytes long: exactly that where it was so before (Go's linker), else whole
// pages, and never less than before.
func (p *program) memory(length uint64) (uint64, error) {
	memory := p.linkEdit.memory
	if length <= memory && memory != uint64(p.linkEdit.length) {
		return memory, nil
	}
	if length > memory && p.top > p.linkEdit.address {
		return 0, wrong("a segment lies behind __LINKEDIT, which has to grow")
	}
	if memory == uint64(p.linkEdit.length) {
		return length, nil
	}
	page := int64(0x1000)
	if p.cpu == cpuARM64 {
		page = 0x4000
	}
	return uint64(roundUp(int64(length), page)), nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
