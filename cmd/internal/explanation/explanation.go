// Package explanation says where an image is pulled from and why, and what was noticed about
// the policies: what the command and the operators' page write in the same JSON.
package explanation

import (
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Explanation is what rules say about an image, as explain writes it in JSON.
type Explanation struct {
	Image      string `json:"image"`
	Normalized string `json:"normalized"`
	// Pull is "digest" or "tag": which rules apply.
	Pull string `json:"pull"`
	// Source is the policy source that won, Why the reason, Entries what says so.
	Source  string  `json:"source"`
	Why     string  `json:"why"`
	Entries []Entry `json:"entries"`
	// Inherited is the source whose mirrors Entries state, where Source has none of its
	// own and is given those; else "".
	Inherited string `json:"inherited"`
	// Applying are the insecure and blocked scopes that Source lies in.
	Applying []Applying `json:"applying"`
	// Losing are sources that match too and of which nothing applies.
	Losing []Losing `json:"losing"`
	// SkippedMirrors are mirrors of the winning source that do not serve this kind of
	// reference.
	SkippedMirrors []SkippedMirror `json:"skippedMirrors"`
	// Rewritten stands in the image's place after --registry-overrides.
	Rewritten  string      `json:"rewritten,omitempty"`
	Candidates []Candidate `json:"candidates"`
	Refused    []Refusal   `json:"refused"`
	Error      string      `json:"error"`
}

// Entry is what an entry of a policy object, or a table of registries.conf, states.
type Entry struct {
	Origin             string   `json:"origin"`
	Pull               string   `json:"pull"`
	Mirrors            []string `json:"mirrors"`
	NeverContactSource bool     `json:"neverContactSource"`
	// Location is where the source itself is pulled from, where registries.conf
	// states another place.
	Location string `json:"location,omitempty"`
}

// Applying is a scope that applies.
type Applying struct {
	Source string `json:"source"`
	// Effect is "blocked" or "insecure".
	Effect string `json:"effect"`
	Origin string `json:"origin"`
}

// Losing is a source that matches and does not apply.
type Losing struct {
	Source  string   `json:"source"`
	Why     string   `json:"why"`
	Origins []string `json:"origins"`
}

// SkippedMirror is a mirror that does not serve this kind of reference.
type SkippedMirror struct {
	Mirror string `json:"mirror"`
	Why    string `json:"why"`
}

// Candidate is an endpoint that is tried.
type Candidate struct {
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
	// Probe is what the endpoint answered, null where it was not asked.
	Probe *Probe `json:"probe,omitempty"`
}

// Refusal is an endpoint that policy blocks.
type Refusal struct {
	Image  string `json:"image"`
	Mirror bool   `json:"mirror"`
	By     string `json:"by"`
	Origin string `json:"origin"`
}

// Probe is what one endpoint answered when asked for the manifest.
type Probe struct {
	OK         bool   `json:"ok"`
	Digest     string `json:"digest"`
	Class      string `json:"class"`  // "" if OK
	Status     int    `json:"status"` // the HTTP status, 0 where there was none or all was well
	Error      string `json:"error"`
	DurationMS int64  `json:"durationMs"`

	// Attempt is what the rest was made of.
	Attempt provider.Attempt `json:"-"`
}

// New makes the Explanation of x, of the reference that the user wrote as typed.
func New(x policy.Explanation, typed string) Explanation {
	e := Explanation{
		Image: typed, Normalized: x.Normalized.String(), Pull: x.Pull.String(),
		Source: x.Source, Why: whyWon(&x), Inherited: x.Inherited,
		Entries: []Entry{}, Applying: []Applying{}, Losing: []Losing{}, SkippedMirrors: []SkippedMirror{}, Candidates: []Candidate{}, Refused: []Refusal{},
	}
	for _, s := range x.Entries {
		e.Entries = append(e.Entries, Entry{s.Origin, s.Pull.String(), list(s.Mirrors), s.NeverContactSource, s.Location})
	}
	for _, s := range x.BlockedScopes {
		e.Applying = append(e.Applying, Applying{s.Name, "blocked", s.Origin})
	}
	for _, s := range x.InsecureScopes {
		e.Applying = append(e.Applying, Applying{s.Name, "insecure", s.Origin})
	}
	for _, u := range x.Unused {
		e.Losing = append(e.Losing, Losing{u.Source, whyLost(u, x.Source), list(u.Origins)})
	}
	for _, m := range x.Skipped {
		e.SkippedMirrors = append(e.SkippedMirrors, SkippedMirror{m.Location, "serves " + m.Pull.String() + "s only"})
	}
	if !x.Rewritten.IsZero() {
		e.Rewritten = x.Rewritten.String()
	}
	for _, c := range x.Candidates {
		out := Candidate{
			Image: c.Ref.String(), Mirror: c.Mirror, Insecure: c.Insecure, InsecureBy: insecureBy(c),
			Origin: strings.Join(c.Origins, ", "), Origins: list(c.Origins),
		}
		if x.Moved && !c.Mirror && c.Ref != x.Rewritten {
			out.LocationOf = x.Source
		}
		e.Candidates = append(e.Candidates, out)
	}
	for _, r := range x.Refused {
		e.Refused = append(e.Refused, Refusal{r.Ref.String(), r.Mirror, r.By, r.Origin})
	}
	return e
}

// list returns a copy that JSON never writes as null.
func list(s []string) []string { return append([]string{}, s...) }

// insecureBy returns what makes c insecure, for a person.
func insecureBy(c policy.Candidate) string {
	switch by := c.InsecureBy; {
	case !c.Insecure || by == nil:
		return ""
	case by.Origin == "":
		return by.Name
	default:
		return by.Name + " (" + by.Origin + ")"
	}
}

// whyWon says why the source of x applies.
func whyWon(x *policy.Explanation) string {
	why := ""
	switch x.Reason {
	case policy.NoMatch:
		return "no policy source matches"
	case policy.NamesImage:
		return "it names this very repository"
	case policy.OnlyMatch:
		why = "the only source that matches"
	default:
		why = fmt.Sprintf("the longest of the %d sources that match", 1+len(x.Losing))
	}
	if strings.HasPrefix(x.Source, "*") {
		why += "; the wildcard stands for " + x.Normalized.Registry()
	}
	return why
}

// whyLost says why u does not apply.
func whyLost(u policy.UnusedSource, winner string) string {
	if u.Tied {
		return "of equal length, and sorted behind the winner"
	}
	return fmt.Sprintf("shorter: %d characters, the winner has %d", len(u.Source), len(winner))
}
