package explainreport

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/endpoints"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// Text writes the explanation in sentences. Nothing that policies or registries say
// makes a line of its own.
// The endpoints are a table on a terminal.
func (r *Report) Text(w io.Writer, l table.Look) {
	say := func(format string, args ...any) { fmt.Fprint(w, output.Line(format, args...)) }

	if l.Terminal {
		endpoints.Head(w, l, r.Image, r.x.Normalized)
	} else {
		say("%s", r.Image)
		if r.Normalized != r.Image {
			say("means %s.", r.Normalized)
		}
	}
	say("")
	r.ruleText(say)
	r.pullText(say)
	if r.Rewritten != "" {
		say("--registry-overrides puts %s in its place: the canonical address is not contacted.", r.Rewritten)
	}

	switch n := len(r.Candidates); {
	case n == 0:
		say("\nNothing is tried, as on a node.")
	case r.asked && n == 1:
		say("\nAsked now:")
	case r.asked:
		say("\nAsked now, listed in the order in which a pull tries them until one answers:")
	case n == 1:
		say("\nWould be tried:")
	default:
		say("\nWould be tried, in this order, until one answers:")
	}
	if l.Terminal {
		r.table(w, l)
	} else {
		r.endpointsText(say)
	}
	if len(r.warnings) > 0 {
		say("\nWarnings about these policies:")
	}
	for _, x := range r.warnings {
		say("  - %s", x.Message)
		say("    %s", strings.Join(x.Origins, ", "))
	}
}

// table writes the endpoints for a terminal.
func (r *Report) table(w io.Writer, l table.Look) {
	t := endpoints.Planned(l)
	if r.asked {
		t = endpoints.Asked(l)
	}
	for i, c := range r.x.Candidates {
		switch p := r.Candidates[i].Probe; {
		case p == nil:
			t.Candidate(c.Ref, c.Mirror, c.Insecure, r.Candidates[i].Origin)
		case p.OK:
			t.Answered(c.Ref, p.Attempt.Took, remark(p, l, c))
		default:
			t.Failed(p.Attempt, 1)
		}
	}
	for _, x := range r.x.Refused {
		t.Refused(x)
	}
	t.Write(w)
}

// endpointsText writes the endpoints for other programs.
func (r *Report) endpointsText(say func(string, ...any)) {
	for i, c := range r.Candidates {
		say("  %d. %s %s%s", i+1, output.Kind(c.Mirror), c.Image, insecureWord(c))
		switch {
		case c.LocationOf != "":
			say("     the location stated for %s, from %s", c.LocationOf, strings.Join(r.locationOrigins(), ", "))
		case len(c.Origins) > 0:
			say("     from %s", strings.Join(c.Origins, ", "))
		}
		if c.Probe != nil {
			say("     %s", probeText(c.Probe))
		}
	}
	if len(r.Refused) > 0 {
		say("\nNever contacted, because policy blocks it:")
		for _, x := range r.Refused {
			say("  - %s %s", output.Kind(x.Mirror), x.Image)
			if x.Origin != "" {
				say("    blocked by %s, from %s", x.By, x.Origin)
			} else {
				say("    blocked by %s", x.By)
			}
		}
	}
}

func (r *Report) ruleText(say func(string, ...any)) {
	if r.Source == "" {
		say("No policy source matches, so it is pulled from its own registry.")
		return
	}
	say("The policy source %s applies: %s.", r.Source, r.Why)
	switch {
	case r.Inherited != "":
		say("  It states no mirrors of its own, so it is given those of %s, moved down to it:", r.Inherited)
	case len(r.Entries) == 0:
		say("  No mirrors are stated for it; it counts because it is called insecure or blocked.")
	}
	for _, n := range r.Entries {
		r.entryText(say, n)
	}
	for _, s := range r.Applying {
		r.applyingText(say, s)
	}
	for _, l := range r.Losing {
		from := ""
		if len(l.Origins) > 0 {
			from = " (" + strings.Join(l.Origins, ", ") + ")"
		}
		say("%s matches too and does not apply: %s%s.", l.Source, l.Why, from)
	}
}

func (r *Report) entryText(say func(string, ...any), n explanation.Entry) {
	never := ""
	switch {
	case n.NeverContactSource && r.Inherited != "":
		never = ", never contact the source, which does not reach down"
	case n.NeverContactSource:
		never = ", never contact the source"
	}
	if n.Location != "" {
		say("  %s states the location %s%s", n.Origin, n.Location, never)
		never = ""
	}
	if n.Location == "" || len(n.Mirrors) > 0 {
		say("  %s states %s (%s%s)", n.Origin, words.Plural(len(n.Mirrors), "mirror"), pullWords(n.Pull), never)
	}
	for _, m := range n.Mirrors {
		say("    %s", m)
	}
}

func (r *Report) applyingText(say func(string, ...any), s explanation.Applying) {
	from := ""
	if s.Origin != "" {
		from = ", from " + s.Origin
	}
	switch own := s.Source == r.Source; {
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

// locationOrigins returns the entries that state another location for the source.
func (r *Report) locationOrigins() []string {
	var origins []string
	for _, n := range r.Entries {
		if n.Location != "" && !slices.Contains(origins, n.Origin) {
			origins = append(origins, n.Origin)
		}
	}
	return origins
}

func (r *Report) pullText(say func(string, ...any)) {
	switch {
	case r.Pull == "tag" && r.tagsFollow && len(r.Entries) > 0:
		say("It is pulled by tag; --tags-follow-digest-rules lets mirrors for digests serve it too.")
	case len(r.SkippedMirrors) == 0:
	case r.Pull == "digest":
		say("It is pulled by digest: mirrors for tags only (ImageTagMirrorSet) do not serve it.")
	default:
		say("It is pulled by tag: mirrors for digests only (ImageDigestMirrorSet,")
		say("ImageContentSourcePolicy) do not serve it.")
	}
	if n := len(r.SkippedMirrors); n > 0 {
		verb, only := "serve", "tags"
		are := "are"
		if n == 1 {
			verb, are = "serves", "is"
		}
		if r.Pull == "tag" {
			only = "digests"
		}
		say("%s %s %s only and %s skipped for this %s:", words.Plural(n, "mirror"), verb, only, are, r.Pull)
		for _, s := range r.SkippedMirrors {
			say("  %s", s.Mirror)
		}
		if r.Pull == "tag" {
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

func insecureWord(c explanation.Candidate) string {
	switch {
	case !c.Insecure:
		return ""
	case c.InsecureBy == "":
		return " (insecure: plain HTTP and any certificate are accepted)"
	}
	return " (insecure, by " + c.InsecureBy + ": plain HTTP and any certificate are accepted)"
}
