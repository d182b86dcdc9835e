package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

func (a *app) statusCmd() *cobra.Command {
	var serve bool
	var address string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the rules in force, and where they come from",
		Long: `status reads the policies and shows what is in force: the merged rules with the entries
that each mirror comes from, blocked and insecure scopes, and the state of each source,
with what was skipped and what is surprising. It touches no network, except to read
policies from a cluster. A source that cannot be read is shown as failed; then there
are no rules, and the exit code is 1.

--serve serves the same as a page for a browser, with a field to try a reference in, and
prints its address. It follows the sources until Ctrl-C. Everybody on this machine can
see the page, and other machines cannot. It is read-only. The page of
hypershift-operator also shows the health of registries and the last lookups.`,
		Example: `  mirrorchain status -s cluster:

  # look at the policies of a folder while they are edited
  mirrorchain status --serve -s cluster-resources/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !serve && cmd.Flags().Changed("address"):
				return failure.Usagef("--address means nothing without --serve")
			case !serve:
				return a.status(cmd.Context())
			case !a.opts.output.IsText():
				return failure.Usagef("--serve makes a page; leave out -o, or --serve")
			}
			return a.serveStatus(cmd.Context(), address)
		},
	}
	cmd.Flags().BoolVar(&serve, "serve", false, "serve a page for a browser until Ctrl-C, instead of printing")
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:0", "with --serve, the loopback `HOST:PORT` of the page; port 0 is any free one")
	complete(cmd, "address", cobra.NoFileCompletions)
	return showing(cmd, policyFlags, outputFlags)
}

// resolver reads the policies that the flags name.
func (a *app) resolver(ctx context.Context) (*sources.Resolver, error) {
	if err := a.checkOptions(); err != nil {
		return nil, err
	}
	if len(a.opts.sources) == 0 && len(a.opts.registryOverrides) == 0 {
		a.notef("no policies: no --source was given")
	}
	srcs, err := a.openSources(ctx)
	if err != nil {
		return nil, err
	}
	stop := a.progress("reading the policies")
	defer stop()
	return sources.NewResolver(ctx, sources.ResolverConfig{
		Rules:           policy.RulesConfig{Strict: a.opts.strict, TagsFollowDigestRules: a.opts.tagsFollowDigest},
		TolerateInvalid: true, // the status says what is wrong
	}, srcs...)
}

func (a *app) status(ctx context.Context) error {
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	r, err := a.resolver(ctx)
	if err != nil {
		return err
	}
	s := statuspage.Read(r)
	if err := a.print(s, func(w io.Writer) { statusText(w, s) }); err != nil {
		return err
	}
	if r.Current() == nil {
		return &failure.Reported{Code: failure.ExitFailed}
	}
	return nil
}

func (a *app) serveStatus(ctx context.Context, address string) error {
	loopback, err := statuspage.CheckAddress(address)
	if err != nil {
		return failure.Usagef("--address: %v", err)
	}
	if !loopback {
		return failure.Usagef("--address %s can be reached from other machines, and the page asks nobody for a password; name a loopback address, as in 127.0.0.1:8082", address)
	}
	r, err := a.resolver(ctx)
	if err != nil {
		return err
	}
	page, err := statuspage.Handler(statuspage.Config{
		Program: a.name() + " status", Audience: "It is seen by everybody on this machine.", Resolver: r, TagsFollow: a.opts.tagsFollowDigest,
	})
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--address: %w", err)
	}
	fmt.Fprintf(a.sys.Stdout, "http://%s%s\n", l.Addr(), statuspage.Path)
	a.printed = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	followed := make(chan error, 1)
	go func() { followed <- r.Start(ctx) }()
	err = statuspage.Serve(ctx, l, page)
	cancel()
	<-followed // it ends with ctx alone
	return err
}

// statusText writes s for a person.
func statusText(w io.Writer, s statuspage.Status) {
	switch {
	case s.Version == "":
		fmt.Fprintln(w, "No rules are in force: a source could not be read.")
	case len(s.Rules) == 0:
		fmt.Fprintln(w, "No rules: images are pulled from where their names say.")
	default:
		fmt.Fprintf(w, "Rules in force, version %s:\n", s.Version)
	}
	rows := [][]string{}
	for _, r := range s.Rules {
		source := r.Source
		if r.NeverContactSource {
			source += " (never contacted)"
		}
		if len(r.Mirrors) == 0 {
			rows = append(rows, []string{source, r.Pull, output.Dash(r.Location), strings.Join(r.Origins, ", ")})
		}
		for _, m := range r.Mirrors {
			to := m.Location
			if m.Insecure {
				to += " (insecure)"
			}
			rows = append(rows, []string{source, r.Pull, to, strings.Join(m.Origins, ", ")})
		}
	}
	if len(rows) > 0 {
		output.Table(w, "  ", append([][]string{{"SOURCE", "PULL BY", "MIRROR", "NAMED BY"}}, rows...))
	}
	for _, list := range []struct {
		title  string
		scopes []statuspage.Scope
	}{{"Blocked", s.Blocked}, {"Insecure", s.Insecure}} {
		rows = nil
		for _, x := range list.scopes {
			rows = append(rows, []string{x.Name, x.Origin})
		}
		if len(rows) > 0 {
			fmt.Fprintf(w, "\n%s:\n", list.title)
			output.Table(w, "  ", rows)
		}
	}
	warnings := s.Warnings
	rows = nil
	if len(s.Sources) > 0 {
		fmt.Fprintln(w, "\nSources:")
	}
	for _, x := range s.Sources {
		said := words.Plural(x.Rules, "rule")
		if x.Error != "" {
			said = x.Error
		} else if n := len(x.Skipped); n > 0 {
			said += ", " + words.Plural(n, "object") + " skipped"
		}
		rows = append(rows, []string{x.Name, x.State, said})
		warnings = append(warnings, x.Warnings...)
	}
	output.Table(w, "  ", rows)
	if len(warnings) > 0 {
		fmt.Fprintln(w, "\nWarnings:")
		for _, x := range warnings {
			fmt.Fprint(w, output.Line("  %s", x.Message))
		}
	}
}
