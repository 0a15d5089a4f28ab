package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Files yields a catalog as the files of a file-based one: for each package
// PACKAGE/catalog.json with its documents, one a line, and _/catalog.json for
// those of no package. The same documents give the same bytes, whatever files
// they came from and in whatever order.
func (c *Catalog) Files() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		documents := c.Documents()
		slices.SortStableFunc(documents, canonical)
		for start := 0; start < len(documents); {
			end := start
			var body bytes.Buffer
			for ; end < len(documents) && documents[end].Package == documents[start].Package; end++ {
				writeDocument(&body, documents[end].Raw)
			}
			if !yield(directoryOf(documents[start].Package)+"/catalog.json", body.Bytes()) {
				return
			}
			start = end
		}
	}
}

// rank is the order of documents within a package: the one that opm renders in.
func rank(schema string) int {
	known := []string{SchemaPackage, SchemaChannel, SchemaBundle, SchemaDeprecations}
	if i := slices.Index(known, schema); i >= 0 {
		return i
	}
	return len(known)
}

func canonical(a, b *Meta) int {
	return cmp.Or(
		cmp.Compare(a.Package, b.Package),
		cmp.Compare(rank(a.Schema), rank(b.Schema)),
		cmp.Compare(a.Schema, b.Schema),
		cmp.Compare(a.Name, b.Name),
		bytes.Compare(a.Raw, b.Raw),
	)
}

// writeDocument writes a document without white space between its values. It
// is valid JSON, so what matters is only what is inside of strings.
func writeDocument(to *bytes.Buffer, raw []byte) {
	for i := 0; i < len(raw); {
		switch raw[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case '"':
			end := stringEnd(raw, i)
			to.Write(raw[i:end])
			i = end
		default:
			to.WriteByte(raw[i])
			i++
		}
	}
	to.WriteByte('\n')
}

// directoryOf returns the name of a package's directory. It is the package's
// own where that is a plain name, and as all others are written differently, no
// two packages share one.
func directoryOf(pkg string) string {
	if pkg == "" {
		return "_"
	}
	var out strings.Builder
	for i := range len(pkg) {
		b := pkg[i]
		plain := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		if plain || i > 0 && strings.IndexByte("-._", b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02x", b)
		}
	}
	return out.String()
}
