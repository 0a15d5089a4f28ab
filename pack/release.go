package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/cli"
)

// release writes an archive for each target, and SHA256SUMS over them.
func (s *source) release(ctx context.Context, dir string, wanted []target, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	common, err := s.common() //nolint:contextcheck // it looks at commands, and runs none
	if err != nil {
		return err
	}
	var sums []string
	for _, t := range wanted {
		name, content, err := s.pack(ctx, t, common)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
		sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name))
		if _, err := fmt.Fprintf(out, "%s  %d bytes\n", filepath.Join(dir, name), len(content)); err != nil {
			return err
		}
	}
	slices.SortFunc(sums, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(strings.Join(sums, "")), 0o644)
}

// pack makes one archive in memory: the name says its form.
func (s *source) pack(ctx context.Context, t target, common []entry) (name string, content []byte, err error) {
	own, err := s.platform(ctx, t)
	if err != nil {
		return "", nil, err
	}
	base := fmt.Sprintf("airbridge-%s-%s-%s", s.version, t.os, t.arch)
	entries := below(base, slices.Concat(common, own))
	var b bytes.Buffer
	if t.os == "windows" {
		name, err = base+".zip", writeZip(&b, entries, s.date)
	} else {
		name, err = base+".tar.gz", writeTar(&b, entries, s.date)
	}
	return name, b.Bytes(), err
}

// platform is what differs from one platform to the next.
func (s *source) platform(ctx context.Context, t target) ([]entry, error) {
	program, err := s.build(ctx, t)
	if err != nil {
		return nil, err
	}
	notices, err := s.notices(ctx, t)
	if err != nil {
		return nil, err
	}
	name := "airbridge"
	if t.os == "windows" {
		name += ".exe"
	}
	return []entry{{name: name, mode: 0o755, content: program}, {name: "THIRD-PARTY-LICENSES", content: notices}}, nil
}

// common is what all archives have: documents, completion, man pages.
func (s *source) common() ([]entry, error) {
	docs, err := s.documents()
	if err != nil {
		return nil, err
	}
	root := (&cli.App{Args: []string{"airbridge"}}).Command()
	root.InitDefaultCompletionCmd()
	completions, err := completions(root)
	if err != nil {
		return nil, err
	}
	return slices.Concat(docs, completions, manPages(root, s)), nil
}

// documents are the licence and everything that the README links to.
func (s *source) documents() ([]entry, error) {
	tree := os.DirFS(s.dir)
	names, err := fs.Glob(tree, "docs/*.md")
	if err != nil {
		return nil, err
	}
	records, err := fs.Glob(tree, "docs/design/*.md")
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, name := range slices.Concat([]string{"LICENSE", "README.md", "ARCHITECTURE.md"}, names, records) {
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		out = append(out, entry{name: name, content: content})
	}
	return out, nil
}

// completions are the files that shells look for under these names.
func completions(root *cobra.Command) ([]entry, error) {
	var out []entry
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"airbridge.bash", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"_airbridge", root.GenZshCompletion},
		{"airbridge.fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"airbridge.ps1", root.GenPowerShellCompletionWithDesc},
	} {
		var b bytes.Buffer
		if err := c.write(&b); err != nil {
			return nil, err
		}
		out = append(out, entry{name: path.Join("completion", c.name), content: b.Bytes()})
	}
	return out, nil
}
