package main

import (
	"context"
	"errors"
	"io"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/explainreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/spf13/cobra"
)

func (a *app) explainCmd() *cobra.Command {
	var ask bool
	var arch string
	cmd := &cobra.Command{
		Use:   "explain REF",
		Short: "Say in words where an image is pulled from, and why",
		Long: `explain says where an image is pulled from, and why:
  - which policy source applies to its reference, and which others match
  - which mirrors serve it, in the order in which they are tried
  - which object and file each of these comes from
  - what policy blocks, and what may surprise about these policies
It touches no network, except to read policies from a cluster.

With --probe it also asks all endpoints for the image's manifest at the same time. It
shows which of them answered, how long each took, and the HTTP status. The exit code is
then 0 if one of them has the image.`,
		Example: `  mirrorchain explain -s idms.yaml quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64

  # is every mirror there, and does it let me in?
  mirrorchain explain --probe -s idms.yaml -a pull-secret.json REF`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			if arch != "" && !ask {
				return failure.Usagef("--arch means nothing without --probe")
			}
			return a.explain(cmd.Context(), args[0], arch, ask)
		},
	}
	cmd.Flags().BoolVar(&ask, "probe", false, "ask each endpoint for the manifest and show status, time and error")
	archFlag(cmd, &arch)
	return cmd
}

func (a *app) explain(ctx context.Context, arg, arch string, ask bool) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	platform, err := parseArch(arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	x, failed := p.explain(ref)
	warnings := p.warnings(failed)
	e := explainreport.New(x, explainreport.Config{
		Text: arg, Warnings: warnings, Notices: p.notices(failed), Probed: ask, TagsFollowDigestRules: a.opts.tagsFollowDigest,
	})
	every, _, others := notices.Sort(warnings, x)
	a.warnSorted(every, nil, others) // the explanation has those that concern the image
	if failed == nil {
		a.warnUnmirrored(p, ref, x)
		a.hintName(ref, x)
	}
	switch {
	case failed != nil:
		failed = about(arg, failed)
	case len(x.Candidates) == 0:
		failed = failure.Forbidden(x.Refused)
	case ask:
		if failed, err = a.probe(ctx, p, x, platform, e); err != nil {
			return err
		}
	}
	if f, ok := errors.AsType[*failure.Lookup](failed); ok {
		e.Error = f.Head // the probes say the rest
		f.Brief = a.opts.output.IsText()
	} else if failed != nil {
		e.Error = failed.Error()
	}
	if err := a.print(e, func(w io.Writer) { e.Text(w, a.look()) }); err != nil {
		return err
	}
	return failed
}
