package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// The names that are usual for the list of checksums and its signature.
const (
	ChecksumsName = "sha256sum.txt"
	SignatureName = "sha256sum.txt.asc"
)

// Sum is the checksum of a file.
type Sum struct {
	Name   string // a directory before it is left out
	SHA256 [sha256.Size]byte
}

// Checksums returns the list of checksums as sha256sum writes and checks it,
// sorted by name.
func Checksums(sums []Sum) []byte {
	sums = slices.Clone(sums)
	for i := range sums {
		sums[i].Name = filepath.Base(sums[i].Name)
	}
	slices.SortFunc(sums, func(a, b Sum) int { return strings.Compare(a.Name, b.Name) })
	var list bytes.Buffer
	for _, s := range sums {
		fmt.Fprintf(&list, "%x  %s\n", s.SHA256, s.Name)
	}
	return list.Bytes()
}
