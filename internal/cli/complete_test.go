package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// completed runs what the shells' scripts run, and returns the words and the
// directive, as ":4".
func completed(t *testing.T, args ...string) string {
	t.Helper()
	var out, progress bytes.Buffer
	a := &App{
		Args: append([]string{"airbridge", "__completeNoDesc"}, args...), Stdin: strings.NewReader(""),
		Stdout: &out, Stderr: &progress, Getenv: func(string) string { return "" },
	}
	if code := a.Run(t.Context()); code != 0 {
		t.Errorf("%q: exit code %d: %s", args, code, progress.String())
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func TestCompletion(t *testing.T) {
	const words, files, dirs = ":4", ":0", ":16"
	for _, c := range []struct {
		line, want string
	}{
		{"store v", "verify " + words},
		{"store verify ", dirs},
		{"store verify d ", words},
		{"serve ", dirs},
		{"image mirror --from-dir ", dirs},
		{"image mirror --from-dir=", dirs},
		{"image mirror --dir ", dirs},
		{"image mirror --keep", "--keep-manifest-list " + words},
		{"image mirror ", words},
		{"image mirror -f ", files},
		{"image mirror -a ", files},
		{"image mirror --certificate-authority ", files},
		{"image mirror --filter-by-os ", words},
		{"adm release mirror --to ", words},
		{"adm release mirror --to-dir ", dirs},
		{"adm release mirror --print-mirror-instructions ", "icsp idms none " + words},
		{"version -o ", "json " + words},
		{"install-config merge -o ", files},
		{"install-config merge ", files},
	} {
		got := completed(t, strings.Split(c.line, " ")...)
		if i := strings.Index(got, " Completion ended"); i >= 0 {
			got = got[:i]
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestCompletionRules(t *testing.T) {
	for use, want := range map[string]cobra.ShellCompDirective{
		"verify DIR": offerDirs, "merge FILE": offerFiles, "mirror SRC DST [DST ...] | SRC=DST [...] | -f FILE": offerWords,
		"mirror --config-map FILE --to REG/REPO": offerWords, "info IMAGE [IMAGE ...]": offerWords, "x [DIR]": offerDirs,
	} {
		if got := argumentKind(use); got != want {
			t.Errorf("%s: %v, want %v", use, got, want)
		}
	}
	for usage, want := range map[string]bool{
		"file with credentials": true, "files with one mapping a line": true, "pull secret to copy": true, "exported Secret": true,
		"the config map x, in YAML": true, "install-config.yaml that it goes by": true,
		"directory of file:// sources": false, "profile of the user": false, "file:// below it": false,
	} {
		if got := saysFile.MatchString(usage); got != want {
			t.Errorf("%q: %v", usage, got)
		}
	}
}
