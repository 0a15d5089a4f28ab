// Command airbridge carries container content across an air gap. Started under
// the name oc it answers as oc does, as far as mirroring goes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/cli"
)

func main() { os.Exit(run()) }

// run is main with a result, so that tests can start the real program.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once, as if none had been caught.
	go func() { <-ctx.Done(); stop() }()
	return cli.FromOS().Run(ctx)
}
