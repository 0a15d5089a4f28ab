package main

import (
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// clientCommands let scripts use the programs of others.
var clientCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"need": cmdNeed, // need PROGRAM: fails under CI where it is not installed; a line [!exec:PROGRAM] skip follows
	"tool": cmdTool, // tool VAR NAME: builds a tool pinned in tools/go.mod, VAR=its path
	"near": cmdNear, // near VAR: makes a directory with a short path, VAR=that
}

func cmdNeed(ts *testscript.TestScript, _ bool, args []string) {
	if _, err := exec.LookPath(args[0]); err != nil && os.Getenv("CI") == "true" {
		ts.Fatalf("%s is not installed", args[0])
	}
}

func cmdTool(ts *testscript.TestScript, _ bool, args []string) {
	path, err := peer.BuildTool(args[1])
	ts.Check(err)
	ts.Setenv(args[0], path)
}

func cmdNear(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := peer.Near()
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Setenv(args[0], dir)
}
