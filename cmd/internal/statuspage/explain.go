package statuspage

import (
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// maxRef is how long a reference in a request may be. It is more than registries allow.
const maxRef = 1024

// answer is what the rules say about one reference.
type answer struct {
	Asked string // as typed
	Error string // why there is no answer, or nothing that may be tried
	X     *explanation.Explanation
	// Skipped says that mirrors do not serve this kind of reference, and what that means.
	Skipped  string
	Warnings []policy.Warning
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
	e := explanation.New(x, typed)
	a.X, a.Skipped, a.Warnings = &e, skippedText(&x, tagsFollow), x.Warnings
	return a
}

// skippedText says which mirrors of x do not serve its kind of reference.
func skippedText(x *policy.Explanation, tagsFollow bool) string {
	if len(x.Skipped) == 0 {
		return ""
	}
	switch {
	case x.Pull == policy.PullDigest:
		return "Mirrors for tags only do not serve a pull by digest:"
	case tagsFollow:
		return "Mirrors for digests only do not serve a pull by tag on a node. This process uses them for tags too, when it looks a release up:"
	}
	return "Mirrors for digests only do not serve a pull by tag:"
}
