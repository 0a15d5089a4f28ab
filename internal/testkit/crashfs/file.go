package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// Open implements fsys.FS.
func (f *FS) Open(name string) (fsys.File, error) { return f.OpenFile(name, os.O_RDONLY) }

// OpenFile implements fsys.FS.
func (f *FS) OpenFile(name string, flag int) (fsys.File, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n, err := f.open(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &file{f: f, n: n, name: name, flag: flag}, nil
}

func (f *FS) open(name string, flag int) (*node, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	n, err := f.openOrMake(name, flag)
	if err != nil {
		return nil, err
	}
	if n.mode&fs.ModeSymlink != 0 {
		return nil, fsys.ErrLink
	}
	if !n.mode.IsRegular() {
		return nil, fsys.ErrNotRegular
	}
	if f.d.readOnly && flag&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC) != 0 {
		return nil, syscall.EROFS
	}
	if flag&os.O_TRUNC != 0 {
		f.d.truncate(n, 0)
	}
	return n, nil
}

func (f *FS) openOrMake(name string, flag int) (*node, error) {
	dir, base, n, err := f.d.place(name)
	switch {
	case err != nil:
		return nil, err
	case n != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, syscall.EEXIST
	case n != nil:
		return n, nil
	case flag&os.O_CREATE == 0:
		return nil, syscall.ENOENT
	case f.d.readOnly:
		return nil, syscall.EROFS
	}
	f.d.clock++
	n = &node{mode: 0o600, mtime: f.d.now()}
	f.d.do(dir, edit{dir, base, n})
	return n, nil
}

// truncate sets the size of a file. Emptied, it has nothing left of what a
// failed sync lost.
func (d *disk) truncate(n *node, size int64) {
	grown := make([]byte, size)
	copy(grown, n.data)
	n.data = grown
	n.lost = n.lost && size > 0
	d.touch(n)
}

func (d *disk) touch(n *node) {
	d.dirty[n] = true
	n.mtime = d.now()
}

// file is an open file.
type file struct {
	f      *FS
	n      *node
	name   string
	flag   int
	pos    int64
	closed bool
}

// use counts a call on an open file. The caller holds the lock of the disk.
func (h *file) use() error {
	if h.closed {
		return os.ErrClosed
	}
	return h.f.step()
}

// Read implements io.Reader.
func (h *file) Read(p []byte) (int, error) {
	n, err := h.ReadAt(p, h.pos)
	h.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (h *file) ReadAt(p []byte, at int64) (int, error) {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	err := h.use()
	if err == nil && h.flag&os.O_WRONLY != 0 {
		err = syscall.EBADF
	}
	if err != nil {
		return 0, pathError("read", h.name, err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	if at < int64(len(h.n.data)) {
		n = copy(p, h.n.data[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (h *file) Write(p []byte) (int, error) {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	if h.f.killed {
		return 0, pathError("write", h.name, ErrKilled)
	}
	if h.closed || h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, pathError("write", h.name, syscall.EBADF)
	}
	err := h.use()
	if err != nil && len(p) > 0 {
		p = p[:h.f.d.rand.IntN(len(p))]
	}
	h.put(p)
	return len(p), pathError("write", h.name, err)
}

func (h *file) put(p []byte) {
	h.f.d.clock++
	if h.flag&os.O_APPEND != 0 {
		h.pos = int64(len(h.n.data))
	}
	end := h.pos + int64(len(p))
	if grow := end - int64(len(h.n.data)); grow > 0 {
		h.n.data = append(h.n.data, make([]byte, grow)...)
	}
	copy(h.n.data[h.pos:], p)
	h.pos = end
	h.f.d.touch(h.n)
}

// Seek implements io.Seeker.
func (h *file) Seek(offset int64, whence int) (int64, error) {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	if h.closed {
		return 0, pathError("seek", h.name, os.ErrClosed)
	}
	switch whence {
	case io.SeekCurrent:
		offset += h.pos
	case io.SeekEnd:
		offset += int64(len(h.n.data))
	}
	if offset < 0 {
		return 0, pathError("seek", h.name, syscall.EINVAL)
	}
	h.pos = offset
	return offset, nil
}

// Stat implements fsys.File.
func (h *file) Stat() (fs.FileInfo, error) {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	if err := h.use(); err != nil {
		return nil, pathError("stat", h.name, err)
	}
	return h.n.info(path.Base(h.name)), nil
}

// Truncate implements fsys.File.
func (h *file) Truncate(size int64) error {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	err := h.use()
	if err == nil && h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return pathError("truncate", h.name, err)
	}
	h.f.d.clock++
	h.f.d.truncate(h.n, size)
	return nil
}

// Sync implements fsys.File.
func (h *file) Sync() error {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	if err := h.use(); err != nil {
		if h.f.d.dirty[h.n] && !h.f.killed {
			h.n.lost = true
		}
		return pathError("sync", h.name, err)
	}
	h.f.d.sync(h.n)
	return nil
}

// Close implements io.Closer. A Close that fails has closed the file.
func (h *file) Close() error {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	err := h.use()
	h.closed = true
	return pathError("close", h.name, err)
}
