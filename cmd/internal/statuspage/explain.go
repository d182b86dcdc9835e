package statuspage

import (
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// maxRef is how long a reference in a request may be. It is more than registries allow.
const maxRef = 1024

// answer is what the rules say about one reference.
type answer struct {
	Asked string // as typed
	Error string // why there is no answer, or nothing that may be tried
	X     *policy.Explanation
	// Rule says which source applies and why.
	Rule string
	// Skipped says that mirrors do not serve this kind of reference, and what that means.
	Skipped string
}

// explain returns what rules say about the reference that was typed. It asks no registry.
// tagsFollow says that the process itself lets mirrors for digests serve tags.
func explain(rules *policy.Rules, typed string, tagsFollow bool) *answer {
	a := &answer{Asked: typed}
	if len(typed) > maxRef {
		a.Asked, a.Error = "", fmt.Sprintf("The reference is longer than %d bytes.", maxRef)
		return a
	}
	ref, err := imageref.Parse(typed)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	if rules == nil {
		a.Error = "No rules are in force yet: a source has not been read."
		return a
	}
	x, err := rules.Explain(ref)
	if err != nil {
		a.Error = err.Error()
	} else if len(x.Candidates) == 0 {
		a.Error = "Nothing is tried: policy blocks every place that the image could be pulled from."
	}
	if _, wrong := errors.AsType[*policy.RewriteError](err); err != nil && !wrong {
		return a
	}
	a.X, a.Rule, a.Skipped = &x, ruleText(&x), skippedText(&x, tagsFollow)
	return a
}

// ruleText says why the source of x applies.
func ruleText(x *policy.Explanation) string {
	why := ""
	switch x.Reason {
	case policy.NoMatch:
		return "No policy source matches, so the image is pulled from its own registry."
	case policy.NamesImage:
		why = "it names this very repository"
	case policy.OnlyMatch:
		why = "the only source that matches"
	default:
		why = fmt.Sprintf("the longest of the %d sources that match", 1+len(x.Losing))
	}
	text := "The policy source " + x.Source + " applies: " + why + "."
	if x.Inherited != "" {
		text += " It has no mirrors of its own and is given those of " + x.Inherited + "."
	}
	return text
}

// skippedText says which mirrors of x do not serve its kind of reference.
func skippedText(x *policy.Explanation, tagsFollow bool) string {
	if len(x.Skipped) == 0 {
		return ""
	}
	pull, other := "digest", "tags"
	if x.Pull == policy.PullTag {
		pull, other = "tag", "digests"
	}
	text := fmt.Sprintf("Mirrors for %s only do not serve a pull by %s:", other, pull)
	if tagsFollow && x.Pull == policy.PullTag {
		text = "Mirrors for digests only do not serve a pull by tag on a node. This process uses them for tags too, when it looks a release up:"
	}
	return text
}
