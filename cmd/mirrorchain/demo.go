package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/demo"
)

func (a *app) demoCmd() *cobra.Command {
	return only(&cobra.Command{
		Use:   "demo",
		Short: "Show the commands at work, on registries that it starts itself",
		Long: `demo starts registries on the loopback interface: a source that is switched off, a
mirror that fails, and one that has a release of real size. It writes an
ImageDigestMirrorSet and runs resolve, explain, release info and release check on
them, printing each command line and its output.

It needs no cluster, no network and no files. It leaves nothing behind, also after
Ctrl-C.`,
		Example: "  mirrorchain demo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := demo.Run(cmd.Context(), demo.Config{Run: runIn, Out: a.sys.Stdout})
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			return nil
		},
	})
}

// runIn calls [Run] with the given environment and none of the process's.
func runIn(ctx context.Context, env map[string]string, args []string, stdout, stderr io.Writer) int {
	return Run(ctx, System{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		UID:       -1, // nobody's /run/containers
	}, args)
}
