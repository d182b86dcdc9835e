package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// resolved is one element of resolve's JSON.
type resolved struct {
	Image      string      `json:"image"`
	Normalized string      `json:"normalized"`
	Source     string      `json:"source"`
	Candidates []candidate `json:"candidates"`
	Refused    []refused   `json:"refused"`
	Error      string      `json:"error"`
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
	return &cobra.Command{
		Use:   "resolve REF...",
		Short: "Print the endpoints that images would be pulled from, in order",
		Long: `resolve applies the policies to each image reference and prints the endpoints
that would be contacted, in the order they would be tried, and those that policy
blocks. It touches no network, except to read policies from a cluster.

With -o json it prints an array with one object per REF, in order. One REF that
cannot be resolved does not stop the others; its "error" says why. The exit code
is then 2 for a malformed reference, 8 where policy blocks every endpoint, 1 for a
mirror that the reference cannot be rewritten to; 8 before 2, 2 before 1.`,
		Example: `  mirrorchain resolve -s idms.yaml quay.io/openshift-release-dev/ocp-release@sha256:...

  # a whole oc-mirror workspace, as JSON
  mirrorchain resolve -s working-dir/cluster-resources -o json REF REF

  # what a control plane operator was told
  mirrorchain resolve -s env:OPENSHIFT_IMG_OVERRIDES REF`,
		Args: someRefs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.resolve(cmd.Context(), args) },
	}
}

func (a *app) resolve(ctx context.Context, args []string) error {
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	a.warn(p.warnings())
	code := exitOK
	all := make([]resolved, 0, len(args))
	for _, arg := range args {
		r, err := p.resolveArg(arg)
		if err != nil {
			code = worse(code, exitCode(err))
			r.Error = err.Error()
			a.tell("mirrorchain: %v", about(arg, err))
		}
		all = append(all, r)
	}
	err = a.print(all, func(w io.Writer) {
		for i, r := range all {
			if i > 0 {
				fmt.Fprintln(w)
			}
			r.text(w)
		}
	})
	if err == nil && code != exitOK {
		return &reported{code}
	}
	return err
}

func (p *policies) resolveArg(arg string) (resolved, error) {
	r := resolved{Image: arg, Candidates: []candidate{}, Refused: []refused{}}
	ref, err := parseRef(arg)
	if err != nil {
		return r, err
	}
	r.Normalized = ref.Normalize().String()
	res, err := p.resolve(ref)
	r.Source = res.Source
	if err != nil {
		return r, err
	}
	for _, c := range res.Candidates {
		r.Candidates = append(r.Candidates, candidate{c.Ref.String(), c.Mirror, c.Insecure, strings.Join(c.Origins, ", ")})
	}
	for _, f := range res.Refused {
		r.Refused = append(r.Refused, refused{f.Ref.String(), f.By})
	}
	if len(res.Candidates) == 0 {
		return r, errForbidden(res.Refused)
	}
	return r, nil
}

func (r resolved) text(w io.Writer) {
	fmt.Fprintln(w, r.Image)
	if r.Normalized != r.Image && r.Normalized != "" {
		fmt.Fprintf(w, "  means %s\n", r.Normalized)
	}
	if r.Source != "" {
		fmt.Fprintf(w, "  matches %s\n", r.Source)
	}
	for i, c := range r.Candidates {
		fmt.Fprintf(w, "  %d  %s  %s%s\n", i+1, kindWord(c.Mirror), c.Image, notes(c))
	}
	for _, f := range r.Refused {
		fmt.Fprintf(w, "  -  refused %s  (blocked by %s)\n", f.Image, f.By)
	}
	if len(r.Candidates)+len(r.Refused) == 0 {
		fmt.Fprintln(w, "  -  no endpoint") // stderr says why
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
