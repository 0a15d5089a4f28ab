package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const program = "./cmd/airbridge"

// fixed is everything of the environment that could change what is built, at
// Go's own defaults.
var fixed = []string{
	"CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off", "GODEBUG=",
	"GOAMD64=v1", "GOARM64=v8.0", "GOPPC64=power8",
}

// goCommand is a call of the Go command for a target.
func (s *source) goCommand(ctx context.Context, t target, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.goTool, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), append(slices.Clone(fixed), "GOOS="+t.os, "GOARCH="+t.arch)...)
	return cmd
}

// build returns the program. Nothing of this machine is in it: no path, no
// name, no time, and of the repository only what s says.
func (s *source) build(ctx context.Context, t target) ([]byte, error) {
	dir, err := os.MkdirTemp("", "airbridge-pack-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is in the directory for temporary files
	const cli = "github.com/airbridge-dev/airbridge/internal/cli."
	flags := fmt.Sprintf("-s -w -X %[1]sVersion=%[2]s -X %[1]sCommit=%[3]s -X %[1]sDate=%[4]d", cli, s.version, s.commit, s.date.Unix())
	file := filepath.Join(dir, "airbridge")
	cmd := s.goCommand(ctx, t, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, program)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	return os.ReadFile(file)
}

// module is what go list says of a package's module, nil for Go's own packages.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// notices joins the licences of all that is linked into the program: whoever
// hands on a binary has to hand on these too.
func (s *source) notices(ctx context.Context, t target) ([]byte, error) {
	modules, err := s.linked(ctx, t)
	if err != nil {
		return nil, err
	}
	root, err := s.goCommand(ctx, t, "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	modules = append(modules, module{Path: "The Go standard library", Dir: strings.TrimSpace(string(root))})
	var b bytes.Buffer
	b.WriteString("The airbridge program contains the following, each under its own licence.\n")
	for _, m := range modules {
		text, err := licence(m.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		line := strings.Repeat("=", 78)
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", line, strings.TrimSpace(m.Path+" "+m.Version), line, bytes.TrimSpace(text))
	}
	return b.Bytes(), nil
}

// linked lists the modules that the program is made of besides its own, sorted.
func (s *source) linked(ctx context.Context, t target) ([]module, error) {
	out, err := s.goCommand(ctx, t, "list", "-deps", "-json=Module", program).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	seen := map[string]module{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module != nil && !p.Module.Main {
			seen[p.Module.Path] = *p.Module
		}
	}
	modules := make([]module, 0, len(seen))
	for _, m := range seen {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules, nil
}

// licence reads all licence files and notices in the top directory of a module.
func licence(dir string) ([]byte, error) {
	var out []byte
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "NOTICE*", "PATENTS*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			out = append(append(out, bytes.TrimSpace(text)...), "\n\n"...)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no licence in %s", dir)
	}
	return out, nil
}
