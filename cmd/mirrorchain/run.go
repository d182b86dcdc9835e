package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/settings"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// System is what a run has from the process around it. Tests and the demo pass
// another.
type System struct {
	// Name is what a person types in front of a command: "mirrorchain" if empty, or
	// "kubectl mirrorchain".
	Name           string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// LookupEnv is os.LookupEnv, except for proxies and SSL_CERT_FILE, which the
	// standard library reads by itself.
	LookupEnv func(string) (string, bool)
	// UID is the user's, for /run/containers/UID/auth.json.
	UID int
	// Columns returns the width of the terminal that Stderr is, 0 if unknown. It is nil
	// where Stderr is no terminal: then no progress is shown.
	Columns func() int
	// StdoutColumns is the same of Stdout: it is nil where Stdout is no terminal, and
	// results are written for other programs.
	StdoutColumns func() int
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
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		plainUsages(root)
	}
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

// finish tells the person what went wrong, and returns the exit code. With -o json or yaml
// a program is told too, in place of the result.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	if err == nil {
		return failure.ExitOK
	}
	code := failure.Code(err)
	switch r, reported := errors.AsType[*failure.Reported](err); {
	case ctx.Err() != nil:
		code = failure.ExitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return failure.ExitBrokenPipe // silent, like the other programs of a pipeline
	case reported:
		return r.Code
	}
	lookup, isLookup := errors.AsType[*failure.Lookup](err)
	if isLookup {
		a.tell("mirrorchain: %s", lookup) // in lines of its own: what is known, or was when somebody interrupted
	}
	switch {
	case code == failure.ExitInterrupted:
		a.tell("mirrorchain: interrupted")
	case isLookup:
		for _, h := range lookup.Hints {
			a.hint(h)
		}
	default:
		text := err.Error()
		if code == failure.ExitUsage {
			text = a.asTyped(text)
		}
		// Each of several errors on a line that shows that it is this program's.
		a.tell("mirrorchain: %s", strings.ReplaceAll(text, "\n", "\nmirrorchain: "))
	}
	if code == failure.ExitUsage {
		a.tell("Run '%s --help' for usage and examples.", cmd.CommandPath())
		return code
	}
	if f := a.opts.output; !a.printed && (f == output.JSON || f == output.YAML) {
		if err := output.Write(a.sys.Stdout, f, failure.DocumentOf(err, code), nil); err != nil {
			a.tell("mirrorchain: %v", err)
		}
	}
	return code
}

// app is one run: its process and its common flags.
type app struct {
	sys  System
	opts options
	err  *lockedWriter // for people

	reported []string // by once
	printed  bool     // by print

	saved *settings.Settings // by settings

	view *hostedView // of --for-hosted-cluster; nil for what the flags name
}

// tell writes to stderr what a person should read.
func (a *app) tell(format string, args ...any) {
	fmt.Fprint(a.err, output.Printable(fmt.Sprintf(format, args...))+"\n")
}

// tellLine does what tell does, for what is one line, whatever the arguments hold.
func (a *app) tellLine(prefix, format string, args ...any) {
	fmt.Fprint(a.err, prefix+output.Line(format, args...))
}

func (a *app) warnf(format string, args ...any) { a.tellLine("warning: ", format, args...) }

func (a *app) notef(format string, args ...any) { a.tellLine("note: ", format, args...) }

// warnOnce warns of what several steps of one command may come upon.
func (a *app) warnOnce(text string) { a.once("warning: ", text) }

// noteOnce does what notef does, once, for what several steps may come upon.
func (a *app) noteOnce(text string) { a.once("note: ", text) }

// hint tells what to do, once; "" is nothing.
func (a *app) hint(text string) {
	if text != "" {
		a.once("hint: ", a.asTyped(text))
	}
}

// once tells a line, unless it has been told.
func (a *app) once(prefix, text string) {
	if line := prefix + text; !slices.Contains(a.reported, line) {
		a.reported = append(a.reported, line)
		a.tellLine(prefix, "%s", text)
	}
}

// look says how results are shown on stdout.
func (a *app) look() table.Look {
	if a.sys.StdoutColumns == nil {
		return table.Look{Full: true, ASCII: !table.UTF8(a.sys.getenv)}
	}
	l := table.LookAt(a.sys.StdoutColumns(), a.sys.getenv)
	l.Full = a.opts.full
	return l
}

// print writes the result v to stdout, as text by its function.
func (a *app) print(v any, text func(io.Writer)) error {
	err := output.Write(a.sys.Stdout, a.opts.output, v, text)
	a.printed = a.printed || err == nil
	return err
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "Where OpenShift release images come from, and what is in them",
		Long: `mirrorchain answers one question: given a release image and the mirror policies
in force, what is in that release, and where did it really come from?

Policies are read as nodes read them: ImageDigestMirrorSet, ImageTagMirrorSet,
ImageContentSourcePolicy, install-config and registries.conf, from files (-s FILE),
and the first three, with insecure and blocked registries, from a cluster
(-s cluster:). Credentials are found where oc, podman and docker keep them.

Results go to stdout, everything else goes to stderr. Settings for every run can be kept
in a file, see 'mirrorchain config --help'.

` + failure.ExitCodeHelp,
		Example: `  # see the commands at work, on registries that the demo starts itself
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
		PersistentPreRunE:          a.opts.settle,
		Annotations:                map[string]string{cobra.CommandDisplayNameAnnotation: a.name()},
	}
	root.SetFlagErrorFunc(badFlag)
	a.opts.register(root)
	complete(root, "context", a.contexts)
	complete(root, "source", a.sourceNames)
	root.AddCommand(a.resolveCmd(), a.explainCmd(), a.checkCmd(), a.releaseCmd(), a.imageCmd(), a.policyCmd(),
		a.statusCmd(), a.configCmd(), a.demoCmd(), a.versionCmd(), a.completionCmd())
	root.AddCommand(topics()...)
	help := showing(helpCmd())
	root.SetHelpCommand(help)
	root.SetVersionTemplate(currentVersion().line())
	root.SetUsageFunc(usage)
	a.nameCommands(root)
	a.nameCommands(help) // which cobra adds later
	return root
}

// firstError keeps the first error of writing to w.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

// lockedWriter lets several goroutines write whole lines to stderr.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
