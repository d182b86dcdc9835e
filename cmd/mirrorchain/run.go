package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// System is what a run has from the process around it. Tests and the demo give
// it another.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// LookupEnv is os.LookupEnv, except for proxies and SSL_CERT_FILE, which the
	// standard library reads by itself.
	LookupEnv func(string) (string, bool)
	// UID is the user's, for /run/containers/UID/auth.json.
	UID int
	// Terminal says that Stderr is one, so that progress can be shown on it.
	Terminal bool
}

func (s System) getenv(name string) string {
	v, _ := s.LookupEnv(name)
	return v
}

// Run runs the command line args (without the program's name) and returns the
// exit code. Nothing of it outlives the call.
func Run(ctx context.Context, sys System, args []string) int {
	a := &app{sys: sys, err: &lockedWriter{w: sys.Stderr}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(sys.Stdin)
	root.SetOut(sys.Stdout)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	return a.finish(ctx, cmd, err)
}

// finish tells the person what went wrong and the caller by a number.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(a.err, "mirrorchain: interrupted")
		return exitInterrupted
	}
	if r, ok := errors.AsType[*reported](err); ok {
		return r.code
	}
	fmt.Fprintf(a.err, "mirrorchain: %v\n", err)
	for _, h := range hintsOf(err) {
		fmt.Fprintf(a.err, "hint: %s\n", h)
	}
	code := exitCode(err)
	if code == exitUsage {
		fmt.Fprintf(a.err, "Run '%s --help' for usage and examples.\n", cmd.CommandPath())
	}
	return code
}

// app is one run: its process and its common flags.
type app struct {
	sys  System
	opts options
	err  *lockedWriter // for people
}

func (a *app) warnf(format string, args ...any) {
	fmt.Fprintf(a.err, "warning: "+format+"\n", args...)
}

func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.err, "note: "+format+"\n", args...)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mirrorchain",
		Short: "Where OpenShift release images come from, and what is in them",
		Long: `mirrorchain answers one question: given a release image and the mirror policies
in force, what is in that release, and where did it really come from?

Policies are read as nodes read them: ImageDigestMirrorSet, ImageTagMirrorSet,
ImageContentSourcePolicy, install-config and registries.conf, from files (-s).

` + exitCodeHelp,
		Example: `  # everything at once, on a registry of its own
  mirrorchain demo

  # where a release would be pulled from; touches no network
  mirrorchain resolve -s idms.yaml quay.io/openshift-release-dev/ocp-release@sha256:...

  # why, and which of these endpoints answer
  mirrorchain explain --probe -s cluster-resources/ quay.io/openshift-release-dev/ocp-release@sha256:...

  # what is in it, and who served it
  mirrorchain release info -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:                       cobra.ArbitraryArgs,
		RunE:                       group,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%w", err) })
	a.opts.register(root)
	root.AddCommand(a.resolveCmd(), a.explainCmd(), a.releaseCmd(), a.demoCmd(), a.versionCmd(), a.completionCmd())
	root.SetHelpCommand(helpCmd())
	// A command that only holds others is runnable here, to say what is wrong; its
	// usage need not say that it can be run alone.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	return root
}
