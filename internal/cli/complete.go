package cli

import "github.com/spf13/cobra"

// Command is the tree of all commands, for those who describe it: man pages
// and completion files are made of it. Run is what executes one.
func (a *App) Command() *cobra.Command { return a.root() }
