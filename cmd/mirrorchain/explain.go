package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/provider"
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
	// Losing are sources that match too.
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

	tagsFollow bool // --tags-follow-digest-rules
}

type entry struct {
	Origin             string   `json:"origin"`
	Pull               string   `json:"pull"`
	Mirrors            []string `json:"mirrors"`
	NeverContactSource bool     `json:"neverContactSource"`
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
	InsecureBy string   `json:"insecureBy"`
	Origins    []string `json:"origins"`
	Probe      *probe   `json:"probe,omitempty"`
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
what is surprising about the policies that concern it. It touches no network.

With --probe it also asks each endpoint for the image's manifest, all at once, and
shows who answered, in which time, and which HTTP status the others gave. The exit
code is then 0 if any of them answered.`,
		Example: `  mirrorchain explain -s idms.yaml quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64

  # is every mirror there, and does it let me in?
  mirrorchain explain --probe -s idms.yaml -a pull-secret.json REF`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			if arch != "" && !ask {
				return usagef("--arch means nothing without --probe")
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
	e.tagsFollow = a.opts.tagsFollowDigest
	a.warn(p.unconcerned(e))
	switch {
	case failed != nil:
		failed = about(arg, failed)
	case len(res.Candidates) == 0:
		failed = errForbidden(res.Refused)
	case ask:
		if failed, err = a.probe(ctx, res, platform, &e); err != nil {
			return err
		}
	}
	if f, ok := errors.AsType[*failedLookup](failed); ok {
		e.Error = f.head // the probes say the rest
	} else if failed != nil {
		e.Error = failed.Error()
	}
	if err := a.print(e, e.text); err != nil {
		return err
	}
	return failed
}

// explain puts res and what led to it into words and lists.
func (p *policies) explain(ref refArg, res provider.Resolution) explained {
	e := explained{
		Image: ref.Text, Normalized: res.Normalized.String(), Pull: "tag", Source: res.Source,
		Entries: []entry{}, Losing: []losing{}, Skipped: []skipped{}, Candidates: []explainee{}, Refused: []refusal{}, Warnings: []warning{},
	}
	digest := res.Normalized.Digest() != ""
	if digest {
		e.Pull = "digest"
	}
	e.Why = whyWon(res)
	for _, r := range p.rulesOf(res.Source) {
		e.Entries = append(e.Entries, entry{r.Origin, pullWord(r.Pull), mirrorNames(r), r.NeverContactSource})
	}
	for _, l := range res.Losing {
		e.Losing = append(e.Losing, losing{l, whyLost(l, res.Source), p.origins(l)})
	}
	e.Skipped = append(e.Skipped, p.skipped(res.Source, digest)...)
	if rw := p.rules.Rewrite(res.Normalized); rw != res.Normalized {
		e.Rewritten = rw.String()
	}
	concerned := p.origins(res.Source)
	for _, l := range res.Losing {
		concerned = append(concerned, p.origins(l)...)
	}
	for _, c := range res.Candidates {
		e.Candidates = append(e.Candidates, explainee{
			Image: c.Ref.String(), Mirror: c.Mirror, Insecure: c.Insecure, InsecureBy: p.insecureBy(c), Origins: list(c.Origins),
		})
		concerned = append(concerned, c.Origins...)
	}
	for _, r := range res.Refused {
		e.Refused = append(e.Refused, refusal{r.Ref.String(), r.Mirror, r.By, r.Origin})
		concerned = append(concerned, r.Origin)
	}
	for _, w := range p.warnings() {
		if slices.ContainsFunc(w.Origins, func(o string) bool { return slices.Contains(concerned, o) }) {
			e.Warnings = append(e.Warnings, warning{w.Code, w.Message, list(w.Origins)})
		}
	}
	return e
}

// rulesOf are the Mirror rules that policy entries state for a source.
func (p *policies) rulesOf(source string) []provider.Rule {
	var rules []provider.Rule
	if source == "" {
		return nil
	}
	for _, policy := range p.loaded {
		for _, r := range policy.Rules {
			if r.Source == source && r.Kind == provider.KindMirror {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func (p *policies) origins(source string) []string {
	origins := []string{}
	for _, r := range p.rulesOf(source) {
		origins = append(origins, r.Origin)
	}
	return origins
}

// unconcerned are the warnings that e does not tell.
func (p *policies) unconcerned(e explained) []provider.Warning {
	var others []provider.Warning
	for _, w := range p.warnings() {
		if !slices.ContainsFunc(e.Warnings, func(told warning) bool { return told.Code == w.Code && told.Message == w.Message }) {
			others = append(others, w)
		}
	}
	return others
}

// insecureBy says what makes a candidate insecure, for a person.
func (p *policies) insecureBy(c provider.Candidate) string {
	switch {
	case !c.Insecure:
		return ""
	case p.insecureAll:
		return "--tls-verify=false"
	}
	name, host := c.Ref.Name(), c.Ref.Registry()
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i] // a wildcard's port does not matter
	}
	for _, s := range p.rules.Insecure() {
		domain, wild := strings.CutPrefix(s.Name, "*")
		if name == s.Name || strings.HasPrefix(name, s.Name+"/") || wild && strings.HasSuffix(host, domain) {
			return s.Name + " (" + s.Origin + ")"
		}
	}
	return ""
}

// skipped are the mirrors that serve only the other kind of reference.
func (p *policies) skipped(source string, digest bool) []skipped {
	var out []skipped
	for m := range p.rules.Merged() {
		if m.Source != source || m.Kind != provider.KindMirror || source == "" {
			continue
		}
		used, other, why := m.TagMirrors, m.DigestMirrors, "serves digests only"
		if digest {
			used, other, why = m.DigestMirrors, m.TagMirrors, "serves tags only"
		}
		for _, o := range other {
			if !slices.ContainsFunc(used, func(u provider.Mirror) bool { return u.Location == o.Location }) && o.Location != source {
				out = append(out, skipped{o.Location, why})
			}
		}
	}
	return out
}

func whyWon(res provider.Resolution) string {
	name := res.Normalized.Name()
	switch {
	case res.Source == "":
		return "no policy source matches"
	case strings.HasPrefix(res.Source, "*"):
		if len(res.Losing) == 0 {
			return fmt.Sprintf("the only source that matches; the wildcard stands for %s", res.Normalized.Registry())
		}
		return fmt.Sprintf("the longest of the %d sources that match; the wildcard stands for %s", 1+len(res.Losing), res.Normalized.Registry())
	case res.Source == name:
		return "it names this very repository"
	case len(res.Losing) == 0:
		return "the only source that matches"
	}
	return fmt.Sprintf("the longest of the %d sources that match", 1+len(res.Losing))
}

func whyLost(source, winner string) string {
	if len(source) == len(winner) {
		return "of equal length, and sorted behind the winner"
	}
	return fmt.Sprintf("shorter: %d characters, the winner has %d", len(source), len(winner))
}

func pullWord(p provider.PullBy) string {
	switch p {
	case provider.PullDigest:
		return "digest"
	case provider.PullTag:
		return "tag"
	}
	return "any"
}

func mirrorNames(r provider.Rule) []string {
	names := []string{}
	for _, m := range r.Mirrors {
		names = append(names, m.Location)
	}
	return names
}
