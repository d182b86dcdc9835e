package main

import (
	"fmt"
	"io"
	"strings"
)

// text is the explanation in sentences.
func (e explained) text(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

	say("%s", e.Image)
	if e.Normalized != e.Image {
		say("means %s.", e.Normalized)
	}
	say("")
	e.ruleText(say)
	e.pullText(say)
	if e.Rewritten != "" {
		say("--registry-overrides puts %s in its place: the canonical address is not contacted.", e.Rewritten)
	}

	switch len(e.Candidates) {
	case 0:
		say("\nNothing is tried, as on a node.")
	case 1:
		say("\nTried:")
	default:
		say("\nTried, in this order, until one answers:")
	}
	for i, c := range e.Candidates {
		say("  %d. %s %s%s", i+1, kindWord(c.Mirror), c.Image, insecureWord(c))
		if len(c.Origins) > 0 {
			say("     from %s", strings.Join(c.Origins, ", "))
		}
		if c.Probe != nil {
			say("     %s", c.Probe.words())
		}
	}
	if len(e.Refused) > 0 {
		say("\nNever contacted, because policy blocks it:")
		for _, r := range e.Refused {
			say("  - %s %s", kindWord(r.Mirror), r.Image)
			if r.Origin != "" {
				say("    blocked by %s, from %s", r.By, r.Origin)
			} else {
				say("    blocked by %s", r.By)
			}
		}
	}
	if len(e.Warnings) > 0 {
		say("\nWarnings about these policies:")
		for _, x := range e.Warnings {
			say("  - %s", x.Message)
			say("    %s", strings.Join(x.Origins, ", "))
		}
	}
}

func (e explained) ruleText(say func(string, ...any)) {
	if e.Source == "" {
		say("No policy source matches, so it is pulled from its own registry.")
		return
	}
	say("The policy source %s applies: %s.", e.Source, e.Why)
	if len(e.Entries) == 0 {
		say("  No mirrors are stated for it; it is there because it is called insecure or blocked.")
	}
	for _, n := range e.Entries {
		never := ""
		if n.NeverContactSource {
			never = ", never contact the source"
		}
		say("  %s states %s (%s%s)", n.Origin, plural(len(n.Mirrors), "mirror"), pullWords(n.Pull), never)
		for _, m := range n.Mirrors {
			say("    %s", m)
		}
	}
	for _, l := range e.Losing {
		from := ""
		if len(l.Origins) > 0 {
			from = " (" + strings.Join(l.Origins, ", ") + ")"
		}
		say("%s matches too and does not apply: %s%s.", l.Source, l.Why, from)
	}
}

func (e explained) pullText(say func(string, ...any)) {
	if len(e.Entries) == 0 {
		return
	}
	switch {
	case e.Pull == "digest":
		say("It is pulled by digest: mirrors for tags only (ImageTagMirrorSet) do not serve it.")
	case e.tagsFollow:
		say("It is pulled by tag; --tags-follow-digest-rules lets mirrors for digests serve it too.")
	default:
		say("It is pulled by tag: mirrors for digests only (ImageDigestMirrorSet,")
		say("ImageContentSourcePolicy) do not serve it.")
	}
	if n := len(e.Skipped); n > 0 {
		verb, only := "serve", "tags"
		are := "are"
		if n == 1 {
			verb, are = "serves", "is"
		}
		if e.Pull == "tag" {
			only = "digests"
		}
		say("%s %s %s only and %s skipped for this %s:", plural(n, "mirror"), verb, only, are, e.Pull)
		for _, s := range e.Skipped {
			say("  %s", s.Mirror)
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

func insecureWord(c explainee) string {
	switch {
	case !c.Insecure:
		return ""
	case c.InsecureBy == "":
		return " (insecure: plain HTTP or any certificate will do)"
	}
	return " (insecure, by " + c.InsecureBy + ": plain HTTP or any certificate will do)"
}
