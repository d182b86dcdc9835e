package main

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/spf13/cobra"
)

// explained is explain's JSON.
type explained struct {
	Image      string `json:"image"`
	Normalized string `json:"normalized"`
	// Pull is "digest" or "tag": which rules apply.
	Pull string `json:"pull"`
	// Source is the policy source that won, Why the reason, Entries what says so.
	Source  string  `json:"source"`
	Why     string  `json:"why"`
	Entries []entry `json:"entries"`
	// Inherited is the source that Entries state their mirrors for, where Source has
	// none of its own and is given those; else "".
	Inherited string `json:"inherited"`
	// Applying are the insecure and blocked scopes that Source lies in.
	Applying []applying `json:"applying"`
	// Losing are sources that match too and of which nothing applies.
	Losing []losing `json:"losing"`
	// Skipped are mirrors of the winning source that do not serve this kind of
	// reference.
	Skipped []skipped `json:"skipped"`
	// Rewritten is what stands in the image's place after --registry-overrides.
	Rewritten  string      `json:"rewritten,omitempty"`
	Candidates []explainee `json:"candidates"`
	Refused    []refusal   `json:"refused"`
	Warnings   []warning   `json:"warnings"`
	Error      string      `json:"error"`

	concerned  []string // origins of entries
	asked      bool     // --probe
	tagsFollow bool     // --tags-follow-digest-rules
}

type entry struct {
	Origin             string   `json:"origin"`
	Pull               string   `json:"pull"`
	Mirrors            []string `json:"mirrors"`
	NeverContactSource bool     `json:"neverContactSource"`
	// Location is where the source itself is pulled from, where registries.conf
	// states another place.
	Location string `json:"location,omitempty"`
}

type applying struct {
	Source string `json:"source"`
	// Effect is "blocked" or "insecure".
	Effect string `json:"effect"`
	Origin string `json:"origin"`
}

type losing struct {
	Source  string   `json:"source"`
	Why     string   `json:"why"`
	Origins []string `json:"origins"`
}

type skipped struct {
	Mirror string `json:"mirror"`
	Why    string `json:"why"`
}

type explainee struct {
	Image    string `json:"image"`
	Mirror   bool   `json:"mirror"`
	Insecure bool   `json:"insecure"`
	// InsecureBy is the scope or flag that says so, "" for none or a table of
	// registries.conf.
	InsecureBy string `json:"insecureBy"`
	// Origin is Origins in one text, as resolve has it.
	Origin  string   `json:"origin"`
	Origins []string `json:"origins"`
	// LocationOf is the source whose location this is, where it is neither a mirror
	// nor the image's own place.
	LocationOf string `json:"locationOf,omitempty"`
	Head       *probe `json:"probe,omitempty"`
}

type refusal struct {
	Image  string `json:"image"`
	Mirror bool   `json:"mirror"`
	By     string `json:"by"`
	Origin string `json:"origin"`
}

type warning struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Origins []string `json:"origins"`
}

func (a *app) explainCmd() *cobra.Command {
	var ask bool
	var arch string
	cmd := &cobra.Command{
		Use:   "explain REF",
		Short: "Say in words where an image is pulled from, and why",
		Long: `explain says which policy source applies to an image reference and why, which
match too and lose, which mirrors serve such a reference, what is tried in which
order, which object and file each of these comes from, what policy refuses, and
what is surprising about the policies that concern it. It touches no network, except
to read policies from a cluster.

With --probe it also asks each endpoint for the image's manifest, all at once, and
shows who answered, in which time, and which HTTP status the others gave. The exit
code is then 0 if any of them answered.`,
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
	res, failed := p.resolve(ref)
	e := p.explain(ref, res)
	e.tagsFollow, e.asked = a.opts.tagsFollowDigest, ask
	a.warn(p.leaveToStderr(&e, p.warnings(failed)), p.concerned(res))
	if failed == nil {
		a.warnUnmirrored(p, ref, res)
		a.hintName(ref)
	}
	switch {
	case failed != nil:
		failed = about(arg, failed)
	case len(res.Candidates) == 0:
		failed = failure.Forbidden(res.Refused)
	case ask:
		if failed, err = a.probe(ctx, p, ref, res, platform, &e); err != nil {
			return err
		}
	}
	if f, ok := errors.AsType[*failure.Lookup](failed); ok {
		e.Error = f.Head // the probes say the rest
		f.Brief = a.opts.output.IsText()
	} else if failed != nil {
		e.Error = failed.Error()
	}
	if err := a.print(e, e.text); err != nil {
		return err
	}
	return failed
}
