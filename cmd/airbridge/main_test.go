package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	program := func() { os.Exit(run()) }
	testscript.Main(m, map[string]func(){"airbridge": program, "oc": program})
}

func allCommands() map[string]func(*testscript.TestScript, bool, []string) {
	all := maps.Clone(commands)
	maps.Copy(all, clientCommands)
	maps.Copy(all, tlsCommands)
	maps.Copy(all, loginCommands)
	maps.Copy(all, signatureCommands)
	maps.Copy(all, toolCommands)
	maps.Copy(all, extractCommands)
	maps.Copy(all, catalogCommands)
	return all
}

// TestScripts runs the real program on testdata/script, each in a directory
// and with an environment of its own. What the scripts can say besides
// testscript's own commands is in commands_test.go.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Cmds:                allCommands(),
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
