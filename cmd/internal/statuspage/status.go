package statuspage

import (
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Resolver says which rules are in force and how their sources are doing.
// [*sources.Resolver] is one.
type Resolver interface {
	// Current returns the rules in force, nil while there are none.
	Current() *policy.Rules
	// Since returns when they came into force.
	Since() time.Time
	// Status returns the state of every source.
	Status() []sources.SourceStatus
}

// Status is the rules in force, and their sources.
type Status struct {
	// Version identifies the rules in force, "" while there are none. Since is when they
	// came into force, "" while there are none.
	Version string `json:"version"`
	Since   string `json:"since"`
	// Rules are those in force, merged, in the order of their sources; then replacements.
	Rules []Rule `json:"rules"`
	// Insecure and Blocked are the scopes that policy calls so.
	Insecure []Scope `json:"insecure"`
	Blocked  []Scope `json:"blocked"`
	// Warnings are those of the merged rules. Those of a single source stand beside it.
	Warnings []explanation.Warning `json:"warnings"`
	Sources  []Source              `json:"sources"`
}

// Rule is what is in force for one source of images, for pulls by digest, by tag or by any.
type Rule struct {
	Source string `json:"source"`
	// Kind is "mirror", or "rewrite" for a replacement of --registry-overrides.
	Kind string `json:"kind"`
	// Pull is "digest", "tag" or "any".
	Pull    string   `json:"pull"`
	Mirrors []Mirror `json:"mirrors"`
	// NeverContactSource is true if the source itself is never asked; BlockedBy is what
	// says so, if the entries of Origins do not.
	NeverContactSource bool   `json:"neverContactSource"`
	BlockedBy          string `json:"blockedBy"`
	// Location is another place that the source itself is pulled from, "" for none.
	Location string `json:"location"`
	// Origins are the entries that the rule is made of.
	Origins []string `json:"origins"`
}

// Mirror is one mirror of a rule, with the entries that name it.
type Mirror struct {
	Location string   `json:"location"`
	Insecure bool     `json:"insecure"`
	Origins  []string `json:"origins"`
}

// Scope is an insecure or blocked scope.
type Scope struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
}

// Source is where policies come from.
type Source struct {
	Name string `json:"name"`
	// State is "in force", "waiting" before it was read for the first time, and "failed"
	// while what it says now is not in force.
	State string `json:"state"`
	// LastRead is when it was last read without an error, "" if never.
	LastRead string `json:"lastRead"`
	// Error is why what it says now is not in force; what it said before stays in force.
	Error string `json:"error"`
	// WatchError is why it cannot be followed; it is tried again.
	WatchError string `json:"watchError"`
	// Rules, Insecure and Blocked count what it said when it was last read.
	Rules    int                   `json:"rules"`
	Insecure int                   `json:"insecure"`
	Blocked  int                   `json:"blocked"`
	Skipped  []explanation.Skipped `json:"skipped"` // objects that are no policies
	Warnings []explanation.Warning `json:"warnings"`
}

// Values of [Source].State.
const (
	InForce = "in force"
	Waiting = "waiting"
	Failed  = "failed"
)

// Read returns what r says now. The rules and the state of their sources are of two moments,
// close to each other.
func Read(r Resolver) Status {
	s := Status{Rules: []Rule{}, Insecure: []Scope{}, Blocked: []Scope{}, Warnings: explanation.Warnings(nil), Sources: []Source{}}
	for _, x := range r.Status() {
		s.Sources = append(s.Sources, sourceOf(x))
	}
	rules := r.Current()
	if rules == nil {
		return s
	}
	s.Version, s.Since = rules.Version(), timeText(r.Since())
	for _, x := range rules.Policy().Rules {
		if !x.Provenance.ScopeOnly { // those are among the scopes
			s.Rules = append(s.Rules, ruleOf(x))
		}
	}
	s.Insecure, s.Blocked = scopes(rules.Insecure()), scopes(rules.Blocked())
	s.Warnings = explanation.Warnings(rules.Warnings())
	return s
}

func sourceOf(x sources.SourceStatus) Source {
	out := Source{
		Name: x.Name, State: InForce, LastRead: timeText(x.LastGood), Error: errorText(x.Err), WatchError: errorText(x.WatchErr),
		Rules: x.Rules, Insecure: x.Insecure, Blocked: x.Blocked,
		Skipped: explanation.SkippedObjects(x.Skipped), Warnings: explanation.Warnings(x.Warnings),
	}
	switch {
	case x.Err != nil:
		out.State = Failed
	case !x.Loaded:
		out.State = Waiting
	}
	return out
}

func ruleOf(x policy.Rule) Rule {
	out := Rule{
		Source: x.Source, Kind: "mirror", Pull: x.Pull.String(), Mirrors: []Mirror{},
		NeverContactSource: x.NeverContactSource, Location: x.Location, Origins: x.Provenance.Origins,
	}
	if x.Kind == policy.KindRewrite {
		out.Kind = "rewrite"
	}
	if len(out.Origins) == 0 {
		out.Origins = []string{x.Origin}
	}
	if by := x.Provenance.BlockedBy; by.Name != "" {
		out.BlockedBy = by.Name
		if by.Origin != "" {
			out.BlockedBy += " (" + by.Origin + ")"
		}
	}
	for i, m := range x.Mirrors {
		origins := out.Origins
		if i < len(x.Provenance.Mirrors) {
			origins = x.Provenance.Mirrors[i]
		}
		out.Mirrors = append(out.Mirrors, Mirror{m.Location, m.Insecure, slices.Clip(origins)})
	}
	return out
}

func scopes(all []policy.Scope) []Scope {
	out := []Scope{}
	for _, s := range all {
		out = append(out, Scope{s.Name, s.Origin})
	}
	return out
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
