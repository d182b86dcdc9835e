package policy

import (
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Explanation says, as plain data, why [Rules.Candidates] returns what it returns for an
// image. The slices Origins and Mirrors are shared with the rules: do not modify them.
type Explanation struct {
	Resolution
	// Pull is how the image is pulled: PullDigest or PullTag.
	Pull PullBy
	// Reason says why Source applies.
	Reason Reason
	// Entries are the entries for Source or, if Source inherits its mirrors, for
	// Inherited, whose NeverContactSource does not reach down to Source. They are in the
	// order of the policies, as their objects and tables state them: entries that nodes
	// drop are among them. Entries is empty if Source is only an insecure or blocked
	// scope.
	Entries []Entry
	// Replaced are further entries for Source. They have no effect, because a drop-in
	// replaces them.
	Replaced []Entry
	// Unused are those of the Losing sources that have no effect. Source inherits no
	// mirrors from them, and they are no insecure or blocked scopes.
	Unused []UnusedSource
	// Skipped are mirrors of Source that serve only the other kind of pull.
	Skipped []SkippedMirror
	// Hints say what a person may have overlooked.
	Hints []Hint
	// Spelling is the image's host as a source of the rules spells it, if that source
	// would match the image but for the spelling: "quay.io" for an image of
	// "quay.io:443". On the network this is one host, but nodes compare names byte for
	// byte. "" if there is no such source.
	Spelling string
	// Moved is true if the source itself is pulled from another place: the location of a
	// table of registries.conf.
	Moved bool
	// Rewritten is the image as the Rewrite rules change it. It is zero if none of them
	// matches.
	Rewritten imageref.Ref
	// Warnings are those of [Rules.Warnings] that concern this image. An OverrideSource
	// may have warnings of its own: Concerns reports whether one of them belongs here
	// too, and [Warning.IsGeneral] whether it is to be shown for every image.
	Warnings []Warning

	origins []string // of entries that concern the image
}

// Entry is what one entry of a policy object, or a table of registries.conf, states.
type Entry struct {
	Source   string   // as [Rule.Source]
	Location string   // as [Rule.Location]
	Mirrors  []string // where they are, in the order of the entry
	Origin   string   // as [Rule.Origin]
	Pull     PullBy   // which references its mirrors serve
	// NeverContactSource is as stated: the entry may be one that is dropped.
	NeverContactSource bool
	ConfTable, DropIn  bool // as [Rule.ConfTable] and [Rule.DropIn]
}

// Reason says why a source applies.
type Reason string

// Reasons.
const (
	NoMatch      Reason = ""              // no source matches
	NamesImage   Reason = "names-image"   // it is the repository of the image
	OnlyMatch    Reason = "only-match"    // no other source matches
	LongestMatch Reason = "longest-match" // several sources match, and it is the longest
)

// UnusedSource is a source that matches an image and does not apply.
type UnusedSource struct {
	Source string
	// Tied is true if it is as long as the source that applies, and sorts after it. All
	// others are shorter.
	Tied    bool
	Origins []string // of the entries that name it
}

// SkippedMirror is a mirror that does not serve a pull.
type SkippedMirror struct {
	Location string // a registry, a namespace or a repository
	Pull     PullBy // what it serves: PullDigest or PullTag
}

// Hint is a code for something that is legal, but often not what the author of a policy
// wanted.
type Hint string

// Hints.
const (
	// HintDigestsOnly: the image is asked for by tag, and mirrors for digests are
	// skipped. Ask by digest, state an ImageTagMirrorSet, or set
	// [RulesConfig.TagsFollowDigestRules].
	HintDigestsOnly Hint = "mirrors-serve-digests-only"
	// HintTagsOnly: the image is asked for by digest, and mirrors for tags are
	// skipped. State an ImageDigestMirrorSet.
	HintTagsOnly Hint = "mirrors-serve-tags-only"
	// HintNeverNotInherited: the mirrors are inherited, but the NeverContactSource of
	// the same entry is not.
	HintNeverNotInherited Hint = "never-not-inherited"
)

// Explain returns what [Rules.Resolve] returns, and the entries, hints and warnings
// that explain it. With a [*RewriteError] the explanation is complete, except for
// Candidates and Refused. Errors are those of Resolve.
func (r *Rules) Explain(ref imageref.Ref) (Explanation, error) {
	r = r.orNone()
	res, err := r.Resolve(ref)
	x := Explanation{Resolution: res, Pull: PullTag, Reason: reason(res)}
	if ref.IsZero() {
		return x, err
	}
	if res.Normalized.Digest() != "" {
		x.Pull = PullDigest
	}
	applies := []string{res.Inherited}
	for _, s := range slices.Concat(res.BlockedScopes, res.InsecureScopes) {
		applies = append(applies, s.Name)
	}
	for _, source := range res.Losing {
		if !slices.Contains(applies, source) {
			x.Unused = append(x.Unused, UnusedSource{source, len(source) == len(res.Source), nil})
		}
	}
	x.Spelling = r.spelling(res.Normalized.Name(), res.Normalized.Registry(), res.Source)
	r.explainEntries(&x)
	r.explainMirrors(&x)
	if rw := r.Rewrite(res.Normalized); rw != res.Normalized {
		x.Rewritten = rw
	}
	for _, c := range res.Candidates {
		x.origins = append(x.origins, c.Origins...)
	}
	for _, f := range res.Refused {
		x.origins = append(x.origins, f.Origin)
	}
	for _, w := range r.warnings {
		if x.Concerns(w) {
			x.Warnings = append(x.Warnings, w)
		}
	}
	return x, err
}

// Concerns reports whether a warning is about an entry that concerns the image. An
// entry that names the image and has no effect on it concerns it too.
func (x *Explanation) Concerns(w Warning) bool {
	return slices.ContainsFunc(w.Origins, func(o string) bool { return slices.Contains(x.origins, o) })
}

func reason(res Resolution) Reason {
	switch {
	case res.Source == "":
		return NoMatch
	case res.Source == res.Normalized.Name():
		return NamesImage
	case len(res.Losing) == 0:
		return OnlyMatch
	}
	return LongestMatch
}

// statedEntries keeps what the Mirror rules of policies state.
func statedEntries(policies []Policy) []Entry {
	n := 0
	for _, p := range policies {
		n += len(p.Rules)
	}
	out := make([]Entry, 0, n)
	for _, p := range policies {
		for i := range p.Rules {
			r := &p.Rules[i]
			if r.Kind != KindMirror {
				continue
			}
			e := Entry{Source: r.Source, Location: r.Location, Origin: r.Origin, Pull: r.Pull, NeverContactSource: r.NeverContactSource, ConfTable: r.ConfTable, DropIn: r.DropIn}
			if len(r.Mirrors) > 0 {
				e.Mirrors = make([]string, len(r.Mirrors))
				for j, m := range r.Mirrors {
					e.Mirrors[j] = m.Location
				}
			}
			out = append(out, e)
		}
	}
	return out
}

// explainEntries goes through all that is stated, once.
func (r *Rules) explainEntries(x *Explanation) {
	source := x.Source
	if x.Inherited != "" {
		source = x.Inherited
	}
	won := r.index.exact(x.Source)
	for _, e := range r.stated {
		if covers(e.Source, x.Normalized) {
			x.origins = append(x.origins, e.Origin)
		}
		switch {
		case strings.TrimRight(e.Source, "/") != source || source == "":
		case won.dropIn && !e.DropIn:
			x.Replaced = append(x.Replaced, e)
		default:
			x.Entries = append(x.Entries, e)
			if e.NeverContactSource && x.Inherited != "" && !slices.Contains(x.Hints, HintNeverNotInherited) {
				x.Hints = append(x.Hints, HintNeverNotInherited)
			}
		}
		for i := range x.Unused {
			if x.Unused[i].Source == e.Source {
				x.Unused[i].Origins = append(x.Unused[i].Origins, e.Origin)
			}
		}
	}
}

// covers reports whether a source matches a reference. The index decides which one
// counts; this finds the entries that were dropped as well.
func covers(source string, ref imageref.Ref) bool {
	if isWildcard(source) {
		host, _, _ := strings.Cut(ref.Registry(), ":")
		return strings.HasSuffix(host, source[1:])
	}
	rest, ok := strings.CutPrefix(ref.Name(), source)
	return ok && (rest == "" || rest[0] == ':' || rest[0] == '/')
}

// explainMirrors finds the mirrors of the winning source that do not serve x.Pull.
func (r *Rules) explainMirrors(x *Explanation) {
	e := r.index.exact(x.Source)
	if e == nil {
		return
	}
	x.origins = append(x.origins, e.origins...)
	x.Moved = e.isMoved()
	other, hint := PullTag, HintTagsOnly
	if x.Pull == PullTag {
		other, hint = PullDigest, HintDigestsOnly
	}
	for _, m := range e.mirrors {
		serves := func(o endpoint) bool { return o.location == m.location && o.pull != other }
		if m.pull == other && m.location != e.prefix && !slices.ContainsFunc(e.mirrors, serves) {
			x.Skipped = append(x.Skipped, SkippedMirror{m.location, other})
		}
	}
	if len(x.Skipped) > 0 {
		x.Hints = append(x.Hints, hint)
	}
}
