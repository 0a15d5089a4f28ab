package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// Set when a release is built (-ldflags -X); a plain build takes what the Go
// tools noted of the module and the repository.
var (
	Version string // git describe: "v1.2.0", "v1.2.0-3-g0123abc"
	Commit  string // in full
	Date    string // of the commit, in seconds since 1970
)

// versionInfo is the output of airbridge version -o json.
type versionInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	Date      string `json:"date,omitempty"` // of the commit, RFC 3339
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func currentVersion() versionInfo {
	v := versionInfo{
		Version: Version, Commit: Commit, Date: commitDate(Date),
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.complete(info)
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "unknown"
	}
	return v
}

// complete fills in what the build was not told.
func (v *versionInfo) complete(info *debug.BuildInfo) {
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && v.Commit == "":
			v.Commit = s.Value
		case s.Key == "vcs.time" && v.Date == "":
			v.Date = s.Value
		}
	}
}

func commitDate(seconds string) string {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339)
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
		return a.printJSON(v)
	case "":
		fmt.Fprintf(a.Stdout, "airbridge %s (%s, %s)\n", v.Version, v.Platform, v.GoVersion)
		if v.Commit != "" {
			fmt.Fprintf(a.Stdout, "commit %s %s\n", v.Commit, v.Date)
		}
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
