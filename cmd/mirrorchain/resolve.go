package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/endpoints"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
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

	ref refArg             // zero for a malformed one
	x   policy.Explanation // what the rest was made of
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

With -o json "images" holds one object per REF, in order. "warnings" and "skipped" are
about the policies. If one REF cannot be resolved, its "error" says why, and the others
are printed. The exit code is then 8 if policy blocks every endpoint of one, else 2 if a
reference is malformed, else 1: a mirror makes no valid reference. Text output leaves
malformed references out.`,
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
	var images []policy.Explanation
	for _, arg := range args {
		r := p.resolveArg(arg)
		errs = append(errs, r.err)
		if !r.ref.IsZero() {
			images = append(images, r.x)
		}
		all = append(all, r)
	}
	a.warn(p.warnings(errs...), images...)
	code := failure.ExitOK
	for _, r := range all {
		if r.err != nil {
			code = failure.Worse(code, failure.Code(r.err))
			a.tell("mirrorchain: %v", about(r.Image, r.err))
		}
		if !r.ref.IsZero() {
			a.warnUnmirrored(p, r.ref, r.x)
			a.hintName(r.ref, r.x)
			for _, h := range notices.Hints(r.x) {
				a.hint(h)
			}
		}
	}
	err = a.print(resolution{all, p.notices(errs...)}, func(w io.Writer) {
		look, first := a.look(), true
		for _, r := range all {
			if r.ref.IsZero() {
				continue // stderr says what is wrong with it
			}
			if !first {
				fmt.Fprintln(w)
			}
			first = false
			if look.Terminal {
				r.table(w, look)
			} else {
				r.text(w)
			}
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
	r.x, r.err = p.explain(r.ref)
	r.Source = r.x.Source
	if r.err != nil {
		return r
	}
	for _, c := range r.x.Candidates {
		r.Candidates = append(r.Candidates, candidate{c.Ref.String(), c.Mirror, c.Insecure, strings.Join(c.Origins, ", ")})
	}
	for _, f := range r.x.Refused {
		r.Refused = append(r.Refused, refused{f.Ref.String(), f.By})
	}
	if len(r.x.Candidates) == 0 {
		r.err = failure.Forbidden(r.x.Refused)
	}
	return r
}

// table writes r for a terminal.
func (r resolved) table(w io.Writer, l table.Look) {
	endpoints.Head(w, l, r.Image, r.ref.Ref)
	if r.Source != "" {
		l.Line(w, table.Plain("matches "+r.Source))
	}
	t := endpoints.Planned(l)
	for i, c := range r.x.Candidates {
		t.Candidate(c.Ref, c.Mirror, c.Insecure, r.Candidates[i].Origin)
	}
	for _, f := range r.x.Refused {
		t.Refused(f)
	}
	t.Write(w)
}

// text writes r for other programs.
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
		say("  %d  %s  %s%s", i+1, output.Kind(c.Mirror), c.Image, remarks(c))
	}
	for _, f := range r.Refused {
		say("  -  refused %s  (blocked by %s)", f.Image, f.By)
	}
	if len(r.Candidates)+len(r.Refused) == 0 {
		say("  -  no endpoint") // stderr says why
	}
}

// remarks returns what resolve says of a candidate in parentheses.
func remarks(c candidate) string {
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

// about returns err, with the reference if it does not name that.
func about(arg string, err error) error {
	if strings.Contains(err.Error(), arg) {
		return err
	}
	return fmt.Errorf("%s: %w", arg, err)
}
