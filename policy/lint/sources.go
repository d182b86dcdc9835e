package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// someDigest is of no image.
const someDigest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"

// below returns an image in a repository, or below it; zero if there can be none.
func below(repository, suffix string) imageref.Ref {
	if rest, ok := strings.CutPrefix(repository, "*."); ok {
		repository = "any." + rest
	}
	for _, name := range []string{repository, repository + "/image"} {
		ref, err := imageref.Parse(name + suffix)
		if err == nil && strings.HasPrefix(ref.Name(), repository) {
			return ref
		}
	}
	return imageref.Ref{}
}

// checkSources judges sources by what came of merging the entries.
func (f *findings) checkSources(rules *policy.Rules) {
	tables := make(map[string]policy.MergedSource)
	for s := range rules.Merged() {
		if s.Kind == policy.KindMirror {
			tables[s.Source] = s
		}
	}
	var noTags, noDigests []string
	for s := range rules.Merged() {
		if s.Kind != policy.KindMirror {
			continue
		}
		digest, err := rules.Explain(below(s.Source, someDigest))
		f.checkNothingLeft(s, digest, err, len(s.DigestMirrors) > 0, "digest")
		tag, err := rules.Explain(below(s.Source, ":any"))
		f.checkNothingLeft(s, tag, err, len(s.TagMirrors) > 0, "tag")
		f.checkChain(rules, s, tables)
		f.checkDigestHidesTag(s, tables, tag)
		switch {
		case len(s.DigestMirrors) > 0 && len(s.TagMirrors) == 0:
			noTags = append(noTags, s.Source)
		case len(s.DigestMirrors) == 0 && len(s.TagMirrors) > 0:
			noDigests = append(noDigests, s.Source)
		}
	}
	if len(noTags) > 0 {
		f.add(DigestOnlyCovered, nil, "mirrored for digests and not for tags: %s", some(noTags))
	}
	if len(noDigests) > 0 {
		f.add(TagOnlyCovered, nil, "mirrored for tags and not for digests: %s", some(noDigests))
	}
}

// some lists names, the first of many.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func originsOf(x policy.Explanation) []string {
	var out []string
	for _, e := range x.Entries {
		out = append(out, e.Origin)
	}
	return out
}

// checkNothingLeft finds a source with mirrors for a kind of pull of which all are blocked.
func (f *findings) checkNothingLeft(s policy.MergedSource, x policy.Explanation, err error, mirrored bool, how string) {
	if err != nil || x.Normalized.IsZero() || !mirrored || len(x.Candidates) > 0 || x.Source != s.Source {
		return
	}
	var by []string
	for _, r := range x.Refused {
		by = append(by, fmt.Sprintf("%s is blocked by %s", r.Ref.Name(), r.By))
	}
	f.add(NeverAllBlocked, originsOf(x), "nothing is left to pull images of %s from by %s: %s", s.Source, how, strings.Join(by, ", "))
}

// checkChain finds mirrors that lie in another source, which has mirrors of its own.
func (f *findings) checkChain(rules *policy.Rules, s policy.MergedSource, tables map[string]policy.MergedSource) {
	var seen []string
	for _, m := range slices.Concat(s.DigestMirrors, s.TagMirrors) {
		if slices.Contains(seen, m.Location) {
			continue
		}
		seen = append(seen, m.Location)
		at, err := rules.Explain(below(m.Location, someDigest))
		other, ok := tables[at.Source]
		if err != nil || !ok || at.Source == s.Source || len(other.DigestMirrors)+len(other.TagMirrors) == 0 {
			continue
		}
		from, _ := rules.Explain(below(s.Source, someDigest))
		origins := append(originsOf(from), originsOf(at)...)
		back := slices.ContainsFunc(slices.Concat(other.DigestMirrors, other.TagMirrors), func(b policy.Mirror) bool {
			return covered([]string{s.Source}, b.Location)
		})
		if back && s.Source > other.Source && f.saysLoop(other.Source, s.Source) {
			continue
		}
		if back {
			f.add(MirrorLoop, origins, "the mirror %s of %s lies in the source %s, whose mirrors lie in %s", m.Location, s.Source, other.Source, s.Source)
			continue
		}
		f.add(MirrorOfMirror, origins, "the mirror %s of %s lies in the source %s, which has mirrors of its own", m.Location, s.Source, other.Source)
	}
}

// saysLoop reports whether there is a finding about a loop from one source to another.
func (f *findings) saysLoop(from, to string) bool {
	return slices.ContainsFunc(f.all, func(n Finding) bool {
		return n.Code == MirrorLoop && strings.HasSuffix(n.Message, fmt.Sprintf(" of %s lies in the source %s, whose mirrors lie in %s", from, to, from))
	})
}

// checkDigestHidesTag finds a source with mirrors for digests alone inside one with mirrors
// for tags.
func (f *findings) checkDigestHidesTag(s policy.MergedSource, tables map[string]policy.MergedSource, x policy.Explanation) {
	if len(s.DigestMirrors) == 0 || len(s.TagMirrors) > 0 || len(x.Losing) == 0 || x.Source != s.Source {
		return
	}
	if parent := tables[x.Losing[0]]; len(parent.TagMirrors) > 0 {
		f.add(DigestHidesTag, originsOf(x), "%s has mirrors for digests only, and being more specific than %s it hides the mirrors for tags there", s.Source, parent.Source)
	}
}
