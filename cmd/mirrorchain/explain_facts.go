package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// explain puts res and what led to it into words and lists.
func (p *policies) explain(ref refArg, res policy.Resolution) explained {
	e := explained{
		concerned: p.concerned(res),
		Image:     ref.Text, Normalized: res.Normalized.String(), Pull: "tag", Source: res.Source,
		Entries: []entry{}, Applying: []applying{}, Losing: []losing{}, Skipped: []skipped{}, Candidates: []explainee{}, Refused: []refusal{}, Warnings: []warning{},
	}
	digest := res.Normalized.Digest() != ""
	if digest {
		e.Pull = "digest"
	}
	e.Why = whyWon(res)
	e.Inherited = res.Inherited
	for _, r := range p.rulesOf(statedFor(res)) {
		e.Entries = append(e.Entries, entry{r.Origin, pullWord(r.Pull), mirrorNames(r), r.NeverContactSource, r.Location})
	}
	applies := map[string]bool{res.Inherited: true}
	add := func(scopes []policy.Scope, effect string) {
		for _, s := range scopes {
			applies[s.Name] = true
			e.Applying = append(e.Applying, applying{s.Name, effect, s.Origin})
		}
	}
	add(res.BlockedScopes, "blocked")
	add(res.InsecureScopes, "insecure")
	for _, l := range res.Losing {
		if !applies[l] {
			e.Losing = append(e.Losing, losing{l, whyLost(l, res.Source), p.origins(l)})
		}
	}
	e.Skipped = append(e.Skipped, p.skipped(res, digest)...)
	if rw := p.rules.Rewrite(res.Normalized); rw != res.Normalized {
		e.Rewritten = rw.String()
	}
	for _, c := range res.Candidates {
		x := explainee{
			Image: c.Ref.String(), Mirror: c.Mirror, Insecure: c.Insecure, InsecureBy: p.insecureBy(c),
			Origin: strings.Join(c.Origins, ", "), Origins: output.List(c.Origins),
		}
		if !c.Mirror && c.Ref != res.Normalized && x.Image != e.Rewritten {
			x.LocationOf = res.Source
		}
		e.Candidates = append(e.Candidates, x)
	}
	for _, r := range res.Refused {
		e.Refused = append(e.Refused, refusal{r.Ref.String(), r.Mirror, r.By, r.Origin})
	}
	return e
}

// statedFor is the source whose entries state the mirrors of the one that won.
func statedFor(res policy.Resolution) string {
	if res.Inherited != "" {
		return res.Inherited
	}
	return res.Source
}

// concerned are the entries that have to do with a reference, those that name it
// and come to nothing among them.
func (p *policies) concerned(res policy.Resolution) []string {
	var origins []string
	for _, policy := range p.loaded {
		for _, r := range policy.Rules {
			if covers(r.Source, res.Normalized) {
				origins = append(origins, r.Origin)
			}
		}
	}
	for _, c := range res.Candidates {
		origins = append(origins, c.Origins...)
	}
	for _, r := range res.Refused {
		origins = append(origins, r.Origin)
	}
	return origins
}

// covers reports whether a source matches a reference. The rules decide which one
// counts; this only finds entries that they dropped as well.
func covers(source string, ref imageref.Ref) bool {
	name := ref.Name()
	if domain, ok := strings.CutPrefix(source, "*"); ok {
		host, _, _ := strings.Cut(ref.Registry(), ":")
		return strings.HasSuffix(host, domain)
	}
	rest, ok := strings.CutPrefix(name, source)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ":/"))
}

// rulesOf are the Mirror rules that policy entries state for a source.
func (p *policies) rulesOf(source string) []policy.Rule {
	var rules []policy.Rule
	if source == "" {
		return nil
	}
	for _, stated := range p.loaded {
		for _, r := range stated.Rules {
			if r.Source == source && r.Kind == policy.KindMirror {
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

// leaveToStderr moves what the explanation tells itself into it, and returns the
// rest: what concerns other images, and what concerns every image, which is told
// first.
func (p *policies) leaveToStderr(e *explained, warnings []policy.Warning) []policy.Warning {
	var rest []policy.Warning
	for _, w := range warnings {
		mine := notices.Concerns(w, e.concerned)
		if mine {
			e.Warnings = append(e.Warnings, warning{w.Code, w.Message, output.List(w.Origins)})
		}
		if !mine || w.Code == policy.WarnStrictConflict {
			rest = append(rest, w)
		}
	}
	return rest
}

// insecureBy says what makes a candidate insecure, for a person.
func (p *policies) insecureBy(c policy.Candidate) string {
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

// skipped are the mirrors of the winning source, inherited or its own, that serve
// only the other kind of reference.
func (p *policies) skipped(res policy.Resolution, digest bool) []skipped {
	var out []skipped
	if res.Source == "" {
		return nil
	}
	source := statedFor(res)
	for m := range p.rules.Merged() {
		if m.Source != source || m.Kind != policy.KindMirror {
			continue
		}
		used, other, why := m.TagMirrors, m.DigestMirrors, "serves digests only"
		if digest {
			used, other, why = m.DigestMirrors, m.TagMirrors, "serves tags only"
		}
		for _, o := range other {
			if !slices.ContainsFunc(used, func(u policy.Mirror) bool { return u.Location == o.Location }) && o.Location != source {
				out = append(out, skipped{o.Location + strings.TrimPrefix(res.Source, source), why})
			}
		}
	}
	return out
}

func whyWon(res policy.Resolution) string {
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

func pullWord(p policy.PullBy) string {
	switch p {
	case policy.PullDigest:
		return "digest"
	case policy.PullTag:
		return "tag"
	}
	return "any"
}

func mirrorNames(r policy.Rule) []string {
	names := []string{}
	for _, m := range r.Mirrors {
		names = append(names, m.Location)
	}
	return names
}
