package explanation

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/endpoints"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// Text writes the explanation in sentences. Nothing that policies or registries say
// makes a line of its own.
// The endpoints are a table on a terminal.
func (e *Explanation) Text(w io.Writer, l table.Look) {
	say := func(format string, args ...any) { fmt.Fprint(w, output.Line(format, args...)) }

	if l.Terminal {
		endpoints.Head(w, l, e.Image, e.x.Normalized)
	} else {
		say("%s", e.Image)
		if e.Normalized != e.Image {
			say("means %s.", e.Normalized)
		}
	}
	say("")
	e.ruleText(say)
	e.pullText(say)
	if e.Rewritten != "" {
		say("--registry-overrides puts %s in its place: the canonical address is not contacted.", e.Rewritten)
	}

	switch n := len(e.Candidates); {
	case n == 0:
		say("\nNothing is tried, as on a node.")
	case e.asked && n == 1:
		say("\nAsked now:")
	case e.asked:
		say("\nAsked now, listed in the order in which a pull tries them until one answers:")
	case n == 1:
		say("\nWould be tried:")
	default:
		say("\nWould be tried, in this order, until one answers:")
	}
	if l.Terminal {
		e.table(w, l)
	} else {
		e.endpointsText(say)
	}
	if len(e.warnings) > 0 {
		say("\nWarnings about these policies:")
	}
	for _, x := range e.warnings {
		say("  - %s", x.Message)
		say("    %s", strings.Join(x.Origins, ", "))
	}
}

// table writes the endpoints for a terminal.
func (e *Explanation) table(w io.Writer, l table.Look) {
	t := endpoints.Planned(l)
	if e.asked {
		t = endpoints.Asked(l)
	}
	for i, c := range e.x.Candidates {
		switch p := e.Candidates[i].Probe; {
		case p == nil:
			t.Candidate(c.Ref, c.Mirror, c.Insecure, e.Candidates[i].Origin)
		case p.OK:
			t.Answered(c.Ref, p.attempt.Took, p.remark(l, c))
		default:
			t.Failed(p.attempt, 1)
		}
	}
	for _, r := range e.x.Refused {
		t.Refused(r)
	}
	t.Write(w)
}

// endpointsText writes the endpoints for other programs.
func (e *Explanation) endpointsText(say func(string, ...any)) {
	for i, c := range e.Candidates {
		say("  %d. %s %s%s", i+1, output.Kind(c.Mirror), c.Image, insecureWord(c))
		switch {
		case c.LocationOf != "":
			say("     the location stated for %s, from %s", c.LocationOf, strings.Join(e.locationOrigins(), ", "))
		case len(c.Origins) > 0:
			say("     from %s", strings.Join(c.Origins, ", "))
		}
		if c.Probe != nil {
			say("     %s", c.Probe.words())
		}
	}
	if len(e.Refused) > 0 {
		say("\nNever contacted, because policy blocks it:")
		for _, r := range e.Refused {
			say("  - %s %s", output.Kind(r.Mirror), r.Image)
			if r.Origin != "" {
				say("    blocked by %s, from %s", r.By, r.Origin)
			} else {
				say("    blocked by %s", r.By)
			}
		}
	}
}

func (e *Explanation) ruleText(say func(string, ...any)) {
	if e.Source == "" {
		say("No policy source matches, so it is pulled from its own registry.")
		return
	}
	say("The policy source %s applies: %s.", e.Source, e.Why)
	switch {
	case e.Inherited != "":
		say("  It states no mirrors of its own, so it is given those of %s, moved down to it:", e.Inherited)
	case len(e.Entries) == 0:
		say("  No mirrors are stated for it; it counts because it is called insecure or blocked.")
	}
	for _, n := range e.Entries {
		e.entryText(say, n)
	}
	for _, s := range e.Applying {
		e.applyingText(say, s)
	}
	for _, l := range e.Losing {
		from := ""
		if len(l.Origins) > 0 {
			from = " (" + strings.Join(l.Origins, ", ") + ")"
		}
		say("%s matches too and does not apply: %s%s.", l.Source, l.Why, from)
	}
}

func (e *Explanation) entryText(say func(string, ...any), n Entry) {
	never := ""
	switch {
	case n.NeverContactSource && e.Inherited != "":
		never = ", never contact the source, which does not reach down"
	case n.NeverContactSource:
		never = ", never contact the source"
	}
	if n.Location != "" {
		say("  %s states the location %s%s", n.Origin, n.Location, never)
		never = ""
	}
	if n.Location == "" || len(n.Mirrors) > 0 {
		say("  %s states %s (%s%s)", n.Origin, output.Plural(len(n.Mirrors), "mirror"), pullWords(n.Pull), never)
	}
	for _, m := range n.Mirrors {
		say("    %s", m)
	}
}

func (e *Explanation) applyingText(say func(string, ...any), s Applying) {
	from := ""
	if s.Origin != "" {
		from = ", from " + s.Origin
	}
	switch own := s.Source == e.Source; {
	case own && s.Effect == "blocked":
		say("  It is blocked%s: nothing is pulled from there.", from)
	case own:
		say("  It is insecure%s: plain HTTP and any certificate are accepted there.", from)
	case s.Effect == "blocked":
		say("%s also applies: it blocks everything below it%s.", s.Source, from)
	default:
		say("%s also applies: everything below it is insecure%s.", s.Source, from)
	}
}

// locationOrigins are the entries that state another location for the source.
func (e *Explanation) locationOrigins() []string {
	var origins []string
	for _, n := range e.Entries {
		if n.Location != "" && !slices.Contains(origins, n.Origin) {
			origins = append(origins, n.Origin)
		}
	}
	return origins
}

func (e *Explanation) pullText(say func(string, ...any)) {
	switch {
	case e.Pull == "tag" && e.tagsFollow && len(e.Entries) > 0:
		say("It is pulled by tag; --tags-follow-digest-rules lets mirrors for digests serve it too.")
	case len(e.SkippedMirrors) == 0:
	case e.Pull == "digest":
		say("It is pulled by digest: mirrors for tags only (ImageTagMirrorSet) do not serve it.")
	default:
		say("It is pulled by tag: mirrors for digests only (ImageDigestMirrorSet,")
		say("ImageContentSourcePolicy) do not serve it.")
	}
	if n := len(e.SkippedMirrors); n > 0 {
		verb, only := "serve", "tags"
		are := "are"
		if n == 1 {
			verb, are = "serves", "is"
		}
		if e.Pull == "tag" {
			only = "digests"
		}
		say("%s %s %s only and %s skipped for this %s:", output.Plural(n, "mirror"), verb, only, are, e.Pull)
		for _, s := range e.SkippedMirrors {
			say("  %s", s.Mirror)
		}
		if e.Pull == "tag" {
			say("To use %s: %s.", map[bool]string{true: "it", false: "them"}[n == 1], notices.MendTag)
		}
	}
}

func pullWords(pull string) string {
	switch pull {
	case "digest":
		return "digests only"
	case "tag":
		return "tags only"
	}
	return "digests and tags"
}

func insecureWord(c Candidate) string {
	switch {
	case !c.Insecure:
		return ""
	case c.InsecureBy == "":
		return " (insecure: plain HTTP and any certificate are accepted)"
	}
	return " (insecure, by " + c.InsecureBy + ": plain HTTP and any certificate are accepted)"
}
