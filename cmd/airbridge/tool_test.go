package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// toolCommands are for scripts about the tool itself and what lies beside content.
var toolCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"tree": cmdTree, // tree DIR FILE: writes what is in DIR, with modes, times and hashes, to FILE
}

func cmdTree(ts *testscript.TestScript, _ bool, args []string) {
	var out bytes.Buffer
	dir := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var content []byte
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(&out, "%s %s %v %x\n", path, info.Mode(), info.ModTime(), sha256.Sum256(content))
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}
