package cli

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// No hint of the table names a flag that the command does not have, unless it
// tells of another command that has it.
func TestHintsNameFlagsThatThereAre(t *testing.T) {
	commands := leaves((&App{Args: []string{"airbridge"}}).root())
	for _, cmd := range commands {
		for _, row := range hints {
			text := ofCommand(row.text, cmd)
			for _, flag := range unknownFlags(text, cmd, commands) {
				t.Errorf("%s has no %s, of which the hint tells: %s", cmd.CommandPath(), flag, text)
			}
		}
	}
}

// The test above sees what it is meant to see, and parts are left out or not.
func TestHintsOfCommands(t *testing.T) {
	root := (&App{Args: []string{"airbridge"}}).root()
	commands := leaves(root)
	for _, c := range []struct {
		command, hint, want string
		unknown             int
	}{
		{"image mirror", "check it[; --skip-missing goes on]", "check it; --skip-missing goes on", 0},
		{"image info", "check it[; --skip-missing goes on]", "check it", 0},
		{"image info", "check it; --skip-missing goes on", "check it; --skip-missing goes on", 1},
		{"image info", "[--skip-missing goes on][, or add --insecure]", "or add --insecure", 0},
		{"image info", "image mirror takes --skip-missing", "image mirror takes --skip-missing", 0},
		{"serve", "[name it with -a]", "", 0},
		{"serve", "name it with -a", "name it with -a", 1},
		{"image mirror", "check it[ (no --from-dir|--to-dir|--dir)]", "check it (no --from-dir or --dir)", 0},
		{"list operators", "check it[ that --from-dir|--to-dir names]", "check it that --from-dir names", 0},
		{"serve", "check it[ that --from-dir|--to-dir names]", "check it", 0},
		{"image mirror", "[use --kubeconfig]", "", 0}, // hidden
	} {
		cmd, _, err := root.Find(strings.Fields(c.command))
		if err != nil {
			t.Fatal(err)
		}
		got := ofCommand(c.hint, cmd)
		if unknown := unknownFlags(got, cmd, commands); got != c.want || len(unknown) != c.unknown {
			t.Errorf("%s: %q is %q with %q that there are not, want %q with %d", c.command, c.hint, got, unknown, c.want, c.unknown)
		}
	}
}

// While a command runs its flags are known, for the hints of reports.
func TestHintsKnowTheCommand(t *testing.T) {
	a := &App{Args: []string{"airbridge", "version"}, Stdout: io.Discard, Stderr: io.Discard}
	if code := a.Run(t.Context()); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	got := a.hint(&repo.Error{Side: repo.SideSource, Err: oci.ErrManifestUnknown})
	if want := "check the name and the tag"; got != want {
		t.Errorf("the hint is %q, want %q", got, want)
	}
}

// leaves returns the commands that do something.
func leaves(cmd *cobra.Command) (out []*cobra.Command) {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	for _, c := range cmd.Commands() {
		out = append(out, leaves(c)...)
	}
	return out
}

// unknownFlags returns the flags of a text that neither a command has nor one that
// the text names before.
func unknownFlags(text string, cmd *cobra.Command, commands []*cobra.Command) (out []string) {
	for _, at := range hintFlags.FindAllStringSubmatchIndex(text, -1) {
		before, flag := text[:at[4]], text[at[4]:at[5]]
		others := strings.HasSuffix(before, "curl ") || strings.HasSuffix(before, "{AWS} ")
		others = others || slices.ContainsFunc(commands, func(c *cobra.Command) bool {
			return strings.Contains(before, strings.TrimPrefix(c.CommandPath(), "airbridge ")) && hasFlag(c, flag)
		})
		if !others && !hasFlag(cmd, flag) {
			out = append(out, flag)
		}
	}
	return out
}
