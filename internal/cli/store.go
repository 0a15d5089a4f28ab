package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/table"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func (a *App) store(g *globalFlags) *cobra.Command {
	store := &cobra.Command{
		Use: "store", Short: "Make, list, check and clean a directory of images", Args: a.unknownCommand, RunE: help,
		Long: `Work on directories of images: stores, and for ls and verify also v2/
directories as oc and image mirror write them, and OCI image layouts.`,
	}
	store.AddCommand(a.storeInit(), a.storeList(g), a.storeVerify(g), a.storeCollect(g))
	return store
}

func (a *App) storeInit() *cobra.Command {
	return &cobra.Command{
		Use:     "init DIR",
		Short:   "Make a store of a directory that holds no images yet",
		Example: `  airbridge store init /media/disk`,
		Args:    oneDirectory,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mirror.InitStore(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(a.Stdout, "initialized store %s\n", args[0])
			return nil
		},
	}
}

func (a *App) storeList(g *globalFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "ls DIR",
		Short: "List what a directory holds, and how big it is",
		Example: `  airbridge store ls /media/disk
  airbridge store ls /media/disk -o json`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "json" {
				return usagef("--output must be json, not %q", output)
			}
			return a.runList(cmd.Context(), g, args[0], output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or nothing for a table")
	return cmd
}

func (a *App) runList(ctx context.Context, _ *globalFlags, dir, output string) (err error) {
	d, err := mirror.OpenDirectory(ctx, dir, mirror.DirectoryOptions{Now: a.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(context.WithoutCancel(ctx))) }()
	usage, err := d.Registry.Usage(ctx)
	if err != nil {
		return err
	}
	if output == "json" {
		return a.printJSON(wireUsage(usage))
	}
	fmt.Fprintf(a.Stdout, "%s\n%s %s, repositories: %d, blobs and manifests: %d, size: %s\n",
		usageText(usage, helpColumns(a.Stdout)), d.Form, dir, len(usage.Repositories), usage.Blobs, ui.Size(usage.Bytes))
	return nil
}

func usageText(u registry.Usage, columns int) string {
	l := table.NewListing(3, table.Column{Title: "REPOSITORY", Give: table.Above}, table.Column{Title: "TAGS"},
		table.Column{Title: "MANIFESTS"}, table.Column{Title: "BLOBS"}, table.Column{Title: "SIZE"})
	for _, r := range u.Repositories {
		l.Row(r.Name, strconv.Itoa(r.Tags), strconv.Itoa(r.Manifests), strconv.Itoa(r.Blobs), ui.Size(r.Bytes))
	}
	return l.Text(columns)
}

// usageJSON is the output of store ls -o json. Sizes are in bytes.
type usageJSON struct {
	Repositories []repositoryJSON `json:"repositories"`
	Blobs        int              `json:"blobs"` // manifests too, each digest once
	Bytes        int64            `json:"bytes"`
}

type repositoryJSON struct {
	Name      string `json:"name"`
	Tags      int    `json:"tags"`
	Manifests int    `json:"manifests"`
	Blobs     int    `json:"blobs"`
	Bytes     int64  `json:"bytes"`
}

func wireUsage(u registry.Usage) usageJSON {
	out := usageJSON{Repositories: []repositoryJSON{}, Blobs: u.Blobs, Bytes: u.Bytes}
	for _, r := range u.Repositories {
		out.Repositories = append(out.Repositories, repositoryJSON(r))
	}
	return out
}

func (a *App) printJSON(v any) error {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Stdout, "%s\n", out)
	return err
}

func (a *App) storeVerify(g *globalFlags) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every byte of a directory against its digest",
		Long: `Hash every blob again, derive every fact again from the manifests, and name the
images that any damage hurts. Exit code 4 if there is any. With --repair what is
damaged is removed, so that mirroring into the directory again copies just that.`,
		Example: `  airbridge store verify /media/disk
  airbridge store verify /media/disk --repair`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runVerify(cmd.Context(), g, args[0], repair)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "remove what is damaged, to be copied anew")
	return cmd
}

func (a *App) runVerify(ctx context.Context, g *globalFlags, dir string, repair bool) (err error) {
	u := a.ui(g)
	d, err := mirror.OpenDirectory(ctx, dir, mirror.DirectoryOptions{Write: repair, Holder: a.holder(), Now: a.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(context.WithoutCancel(ctx))) }()
	started := a.Now()
	meter := u.Meter("verifying")
	report, err := d.Registry.Verify(ctx, func(p registry.Progress) { meter.Set(p.Bytes, p.TotalBytes) })
	meter.Stop()
	if err != nil {
		return err
	}
	took := a.Now().Sub(started)
	fmt.Fprintf(a.Stdout, "verified %d blobs, %s, %d manifests and %d tags in %s (%s)\n", report.Blobs, ui.Size(report.Bytes),
		report.Manifests, report.Tags, ui.Duration(took), ui.Rate(float64(report.Bytes)/max(took.Seconds(), 0.001)))
	if report.Unused > 0 {
		fmt.Fprintf(a.Stdout, "unused: %s, %s: they belong to no image that this directory knows of\n", ui.Count(report.Unused, "blob"), ui.Size(report.UnusedBytes))
	}
	for _, damage := range report.Damages {
		fmt.Fprintf(a.Stdout, "damaged: %s: %s\n", damage.Digest, damage.Reason)
		for _, image := range damage.Images {
			fmt.Fprintf(a.Stdout, "  needed by %s\n", image)
		}
	}
	if len(report.Damages) == 0 {
		return nil
	}
	damaged := &damagedError{dir: dir, form: d.Form, count: len(report.Damages)}
	if repair {
		damaged.removed, err = d.Registry.Repair(ctx, report.Damages)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Stdout, "removed: %s\n", ui.Count(damaged.removed, "damaged blob"))
	}
	return damaged
}

// damagedError is the end of a verification that found something.
type damagedError struct {
	dir            string
	form           mirror.Form
	count, removed int
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("%s is damaged in %s", e.dir, ui.Count(e.count, "place"))
}

func (e *damagedError) Hint() string {
	if e.form == mirror.FormLayout {
		return "layouts are only read here: make it anew with what made it"
	}
	if e.removed == 0 {
		return "remove what is damaged with --repair, then mirror into it again: only that is copied anew"
	}
	return "mirror into it again: what is missing is copied anew, the rest stays"
}

func (a *App) storeCollect(g *globalFlags) *cobra.Command {
	var o registry.GCOptions
	cmd := &cobra.Command{
		Use:   "gc DIR",
		Short: "Delete what no image of a store needs",
		Long: `Delete blobs that no manifest needs, dead uploads and interrupted transfers. The
store must not be in use; content younger than --grace stays.`,
		Example: `  airbridge store gc /srv/mirror --dry-run
  airbridge store gc /srv/mirror --grace=0s`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Grace < 0 {
				return usagef("--grace must not be negative, got %s", o.Grace)
			}
			return a.runCollect(cmd.Context(), g, args[0], o)
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would be deleted")
	cmd.Flags().DurationVar(&o.Grace, "grace", 24*time.Hour, "leave content that is younger")
	return cmd
}

func (a *App) runCollect(ctx context.Context, _ *globalFlags, dir string, o registry.GCOptions) (err error) {
	form, err := mirror.FormOf(dir)
	if err != nil {
		return err
	}
	if form != mirror.FormStore {
		return fmt.Errorf("%s is a %s; only a store is collected", dir, form)
	}
	d, err := mirror.OpenDirectory(ctx, dir, mirror.DirectoryOptions{Write: true, Holder: a.holder(), Now: a.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(context.WithoutCancel(ctx))) }()
	report, err := d.Registry.GC(ctx, o)
	if err != nil {
		return err
	}
	verb := "deleted"
	if o.DryRun {
		verb = "would delete"
	}
	fmt.Fprintf(a.Stdout, "%s %d blobs (%s), %d interrupted transfers (%s); %d leases have lapsed\n", verb,
		report.Blobs, ui.Size(report.Bytes), report.Partials, ui.Size(report.PartialBytes), report.Leases)
	return nil
}
