package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
)

// resolution is resolve's JSON.
type resolution struct {
	Images []resolved `json:"images"`
	notices.Notices
}

// resolved is one image.
type resolved struct {
	Image      string      `json:"image"`
	Normalized string      `json:"normalized"`
	Source     string      `json:"source"`
	Candidates []candidate `json:"candidates"`
	Refused    []refused   `json:"refused"`
	Error      string      `json:"error"`

	ref refArg            // zero for a malformed one
	res policy.Resolution // what the rest was made of
	err error
}

type candidate struct {
	Image    string `json:"image"`
	Mirror   bool   `json:"mirror"`
	Insecure bool   `json:"insecure"`
	Origin   string `json:"origin"`
}

type refused struct {
	Image string `json:"image"`
	By    string `json:"by"`
}

func (a *app) resolveCmd() *cobra.Command {
	return showing(&cobra.Command{
		Use:   "resolve REF...",
		Short: "Print the endpoints that images would be pulled from, in order",
		Long: `resolve applies the policies to each image reference and prints the endpoints
that would be contacted, in the order they would be tried, and those that policy
blocks. It touches no network, except to read policies from a cluster.

With -o json "images" holds one object per REF, in order, and "warnings" and "skipped"
what was noticed about the policies. One REF that cannot be resolved does not stop the
others; its "error" says why. The exit code is then 2 for a malformed reference, 8
where policy blocks every endpoint, 1 for a mirror that the reference cannot be
rewritten to; 8 before 2, 2 before 1. Text leaves malformed ones out.`,
		Example: `  mirrorchain resolve -s idms.yaml quay.io/openshift-release-dev/ocp-release@sha256:...

  # a whole oc-mirror workspace, as JSON
  mirrorchain resolve -s working-dir/cluster-resources -o json REF REF

  # what a control plane operator was told
  mirrorchain resolve -s env:OPENSHIFT_IMG_OVERRIDES REF`,
		Args: someRefs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.resolve(cmd.Context(), args) },
	}, policyFlags, outputFlags, "tls-verify", "timeout")
}

func (a *app) resolve(ctx context.Context, args []string) error {
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	all := make([]resolved, 0, len(args))
	var errs []error
	var origins []string
	for _, arg := range args {
		r := p.resolveArg(arg)
		errs = append(errs, r.err)
		if !r.ref.IsZero() {
			origins = append(origins, p.concerned(r.res)...)
		}
		all = append(all, r)
	}
	a.warn(p.warnings(errs...), origins)
	code := failure.ExitOK
	for _, r := range all {
		if r.err != nil {
			code = failure.Worse(code, failure.Code(r.err))
			a.tell("mirrorchain: %v", about(r.Image, r.err))
		}
		if !r.ref.IsZero() {
			a.warnUnmirrored(p, r.ref, r.res)
			a.hintName(r.ref)
			for _, h := range hintsSkipped(p, r.ref, r.res) {
				a.hint(h)
			}
		}
	}
	err = a.print(resolution{all, p.notices(errs...)}, func(w io.Writer) {
		first := true
		for _, r := range all {
			if r.ref.IsZero() {
				continue // stderr says what is wrong with it
			}
			if !first {
				fmt.Fprintln(w)
			}
			first = false
			r.text(w)
		}
	})
	if err == nil && code != failure.ExitOK {
		return &failure.Reported{Code: code}
	}
	return err
}

func (p *policies) resolveArg(arg string) (r resolved) {
	r = resolved{Image: arg, Candidates: []candidate{}, Refused: []refused{}}
	defer func() {
		if r.err != nil {
			r.Error = r.err.Error()
		}
	}()
	if r.ref, r.err = parseRef(arg); r.err != nil {
		r.ref = refArg{}
		return r
	}
	r.Normalized = r.ref.Normalize().String()
	r.res, r.err = p.resolve(r.ref)
	res := r.res
	r.Source = res.Source
	if r.err != nil {
		return r
	}
	for _, c := range res.Candidates {
		r.Candidates = append(r.Candidates, candidate{c.Ref.String(), c.Mirror, c.Insecure, strings.Join(c.Origins, ", ")})
	}
	for _, f := range res.Refused {
		r.Refused = append(r.Refused, refused{f.Ref.String(), f.By})
	}
	if len(res.Candidates) == 0 {
		r.err = failure.Forbidden(res.Refused)
	}
	return r
}

func (r resolved) text(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprint(w, output.Line(format, args...)) }
	say("%s", r.Image)
	if r.Normalized != r.Image && r.Normalized != "" {
		say("  means %s", r.Normalized)
	}
	if r.Source != "" {
		say("  matches %s", r.Source)
	}
	for i, c := range r.Candidates {
		say("  %d  %s  %s%s", i+1, kindWord(c.Mirror), c.Image, notes(c))
	}
	for _, f := range r.Refused {
		say("  -  refused %s  (blocked by %s)", f.Image, f.By)
	}
	if len(r.Candidates)+len(r.Refused) == 0 {
		say("  -  no endpoint") // stderr says why
	}
}

func kindWord(mirror bool) string {
	if mirror {
		return "mirror"
	}
	return "source"
}

func notes(c candidate) string {
	switch {
	case c.Insecure && c.Origin != "":
		return "  (insecure; " + c.Origin + ")"
	case c.Insecure:
		return "  (insecure)"
	case c.Origin != "":
		return "  (" + c.Origin + ")"
	}
	return ""
}

// about is err, with the reference it is about where it does not name that.
func about(arg string, err error) error {
	if strings.Contains(err.Error(), arg) {
		return err
	}
	return fmt.Errorf("%s: %w", arg, err)
}
