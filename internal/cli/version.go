package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is set when a release is built (-ldflags -X); a plain build takes
// the module's version and commit.
var Version string

// versionInfo is the output of airbridge version -o json.
type versionInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func currentVersion() versionInfo {
	v := versionInfo{Version: Version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}

func (a *App) version() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  airbridge version
  airbridge version -o json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.printVersion(output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or nothing for text")
	cmd.Flags().Bool("client", false, "accepted, as in oc")
	_ = cmd.Flags().MarkHidden("client")
	return cmd
}

func (a *App) printVersion(output string) error {
	v := currentVersion()
	switch output {
	case "json":
		out, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Stdout, "%s\n", out)
	case "":
		fmt.Fprintf(a.Stdout, "airbridge %s (%s, %s)\n", v.Version, v.Platform, v.GoVersion)
	default:
		return usagef("--output must be json, not %q", output)
	}
	return nil
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("no arguments are taken, got %q", args[0])
	}
	return nil
}
