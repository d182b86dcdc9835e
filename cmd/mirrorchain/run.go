package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

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
// exit code. Nothing of it outlives the call, except the connection to a cluster's
// API server, which client-go keeps for the process.
func Run(ctx context.Context, sys System, args []string) int {
	a := &app{sys: sys, err: &lockedWriter{w: sys.Stderr}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(sys.Stdin)
	out := &firstError{w: sys.Stdout} // cobra drops the errors of writing its help
	root.SetOut(out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing the help: %w", out.err)
	}
	return a.finish(ctx, cmd, err)
}

// finish tells the person what went wrong and the caller by a number.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		a.tell("mirrorchain: interrupted")
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitBrokenPipe // like the other programs of a pipeline, without a word
	}
	if r, ok := errors.AsType[*reported](err); ok {
		return r.code
	}
	a.tell("mirrorchain: %s", indented(err))
	for _, h := range hintsOf(err) {
		a.hint(h)
	}
	code := exitCode(err)
	if code == exitUsage {
		a.tell("Run '%s --help' for usage and examples.", cmd.CommandPath())
	}
	return code
}

// app is one run: its process and its common flags.
type app struct {
	sys  System
	opts options
	err  *lockedWriter // for people

	warned []string // by warnOnce
}

func (a *app) warnf(format string, args ...any) {
	a.tell("warning: "+format, args...)
}

// warnOnce is for what several steps of one command may come upon.
func (a *app) warnOnce(text string) {
	if !slices.Contains(a.warned, text) {
		a.warned = append(a.warned, text)
		a.warnf("%s", text)
	}
}

func (a *app) notef(format string, args ...any) {
	a.tell("note: "+format, args...)
}

// hint tells what to do; "" is nothing.
func (a *app) hint(text string) {
	if text != "" {
		a.tell("hint: %s", text)
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mirrorchain",
		Short: "Where OpenShift release images come from, and what is in them",
		Long: `mirrorchain answers one question: given a release image and the mirror policies
in force, what is in that release, and where did it really come from?

Policies are read as nodes read them: ImageDigestMirrorSet, ImageTagMirrorSet,
ImageContentSourcePolicy, install-config and registries.conf, from files (-s FILE),
and the first three, with insecure and blocked registries, from a cluster
(-s cluster:). Credentials are found where oc, podman and docker keep them. Output
has no colour.

Results go to stdout, everything else to stderr. A command that fails to look an
image up prints nothing on stdout.

` + exitCodeHelp,
		Example: `  # everything at once, on a registry of its own
  mirrorchain demo

  # where a release would be pulled from; touches no network
  mirrorchain resolve -s idms.yaml quay.io/openshift-release-dev/ocp-release@sha256:...

  # the same for the policies of the cluster that kubectl would ask
  mirrorchain resolve -s cluster: quay.io/openshift-release-dev/ocp-release@sha256:...

  # why, and which of these endpoints answer
  mirrorchain explain --probe -s cluster-resources/ quay.io/openshift-release-dev/ocp-release@sha256:...

  # what is in it, and who served it
  mirrorchain release info -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Version:                    currentVersion().Version,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:                       cobra.ArbitraryArgs,
		RunE:                       group,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%w", err) })
	a.opts.register(root)
	root.AddCommand(a.resolveCmd(), a.explainCmd(), a.releaseCmd(), a.demoCmd(), a.versionCmd(), a.completionCmd())
	root.AddCommand(topics()...)
	root.SetHelpCommand(showing(helpCmd()))
	root.SetVersionTemplate(currentVersion().line())
	root.SetUsageFunc(usage)
	return root
}
