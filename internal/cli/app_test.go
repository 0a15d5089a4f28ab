package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type (
	command = *cobra.Command
	flag    = pflag.Flag
)

func TestProgramName(t *testing.T) {
	for arg, want := range map[string]string{
		"airbridge": "airbridge", "/usr/local/bin/airbridge-1.2": "airbridge", "./oc": "oc", "/usr/bin/oc": "oc",
		`C:\tools\oc.exe`: "oc", `C:\tools\OC.EXE`: "oc", "oc-mirror": "airbridge", "": "airbridge",
	} {
		a := &App{Args: []string{arg}}
		if got := a.program(); got != want {
			t.Errorf("started as %q: %s, want %s", arg, got, want)
		}
	}
}

// Every command's help has an example, and a text for each flag that shows.
func TestHelp(t *testing.T) {
	a := &App{Args: []string{"airbridge"}}
	var walk func(c command)
	walk = func(c command) {
		if c.Runnable() && !c.HasSubCommands() && c.Name() != "help" && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		c.Flags().VisitAll(func(f *flag) {
			if !f.Hidden && f.Usage == "" {
				t.Errorf("%s --%s has no text", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
}
