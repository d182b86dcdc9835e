// Package notices says what is surprising about policies and what of their sources is
// no policy, for people and in JSON.
package notices

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Notices is the part of each result's JSON that says what was noticed about the
// policies.
type Notices struct {
	// Warnings are all that the policies give rise to, whichever image they concern.
	Warnings []explanation.Warning `json:"warnings"`
	// Skipped are objects that were read and are no policies.
	Skipped []explanation.Skipped `json:"skipped"`
}

// New makes the Notices of some warnings and of the policies that were read.
func New(warnings []policy.Warning, read []policy.Policy) Notices {
	var skipped []policy.SkippedObject
	for _, p := range read {
		skipped = append(skipped, p.Skipped...)
	}
	return Notices{explanation.Warnings(warnings), explanation.SkippedObjects(skipped)}
}

// Collect returns the warnings of the sources, then those of the merged rules, which
// may be nil. It leaves out what one of errs says already.
func Collect(read []policy.Policy, rules *policy.Rules, errs ...error) []policy.Warning {
	var all []policy.Warning
	for _, p := range read {
		all = append(all, p.Warnings...)
	}
	if rules != nil {
		all = append(all, rules.Warnings()...)
	}
	for _, err := range errs {
		if e, ok := errors.AsType[*policy.RewriteError](err); ok {
			all = slices.DeleteFunc(all, func(w policy.Warning) bool {
				return w.Code == policy.WarnUnparsableRewrite && sharesOrigin(w, e.Origins) && strings.Contains(w.Message, " "+e.Location+",")
			})
		}
	}
	return all
}

func sharesOrigin(w policy.Warning, origins []string) bool {
	return slices.ContainsFunc(w.Origins, func(o string) bool { return slices.Contains(origins, o) })
}

// Sort tells apart what is shown whatever image is asked about, what concerns one of
// the images, and the rest. What keeps nodes from taking the policies up comes first.
func Sort(warnings []policy.Warning, images ...policy.Explanation) (every, these, others []policy.Warning) {
	for _, w := range warnings {
		switch {
		case w.Code == policy.WarnStrictConflict:
			every = slices.Insert(every, 0, w)
		case w.IsGeneral():
			every = append(every, w)
		case slices.ContainsFunc(images, func(x policy.Explanation) bool { return x.Concerns(w) }):
			these = append(these, w)
		default:
			others = append(others, w)
		}
	}
	return every, these, others
}

// What is done where the mirrors that match serve only the other kind of reference:
// the most common mistakes at a disconnected site.
const (
	MendTag    = "name the release by digest, state an ImageTagMirrorSet, or give --tags-follow-digest-rules"
	MendDigest = "state an ImageDigestMirrorSet"
)

// Hints returns what a person may have overlooked.
func Hints(x policy.Explanation) []string {
	var hints []string
	for _, h := range x.Hints {
		switch h {
		case policy.HintDigestsOnly:
			hints = append(hints, skipped(len(x.Skipped), "digests", "tag", MendTag))
		case policy.HintTagsOnly:
			hints = append(hints, skipped(len(x.Skipped), "tags", "digest", MendDigest))
		}
	}
	return hints
}

func skipped(n int, serves, kind, mend string) string {
	if n == 1 {
		return fmt.Sprintf("1 mirror serves %s only and was skipped for this %s; %s", serves, kind, mend)
	}
	return fmt.Sprintf("%d mirrors serve %s only and were skipped for this %s; %s", n, serves, kind, mend)
}

// Sentence returns a warning in one line, with the entries that it does not name.
func Sentence(w policy.Warning) string {
	for _, o := range w.Origins {
		if !strings.Contains(w.Message, o) {
			return output.OneLine(w.Message + " (" + strings.Join(w.Origins, ", ") + ")")
		}
	}
	return output.OneLine(w.Message)
}

// CountSkipped counts objects by kind: "3 objects that are no mirror policy (2
// CatalogSource, 1 UpdateService)".
func CountSkipped(objects []policy.SkippedObject) string {
	var kinds []string
	count := make(map[string]int)
	for _, o := range objects {
		if count[o.Kind]++; count[o.Kind] == 1 {
			kinds = append(kinds, o.Kind)
		}
	}
	for i, k := range kinds {
		if kinds[i] = fmt.Sprintf("%d %s", count[k], output.OneLine(k)); k == "" {
			kinds[i] = fmt.Sprintf("%d without a kind", count[k])
		}
	}
	if len(objects) == 1 {
		return fmt.Sprintf("1 object that is no mirror policy (%s)", strings.TrimPrefix(kinds[0], "1 "))
	}
	return fmt.Sprintf("%d objects that are no mirror policies (%s)", len(objects), strings.Join(kinds, ", "))
}
