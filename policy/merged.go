package policy

import "iter"

// MergedSource is one source with its merged Mirror rules, or one Rewrite rule. It is for
// programs that write merged rules in another form.
type MergedSource struct {
	Kind   RuleKind // of the rules
	Source string   // as rules name it, without a slash at its end
	// DigestMirrors and TagMirrors in the order they are tried. A Rewrite rule has
	// its one target in both.
	DigestMirrors, TagMirrors []Mirror
	// NeverContactSource is true if Source is blocked, by NeverContactSource or by a
	// blocked scope.
	NeverContactSource bool
}

// Merged returns the sources that rules name, with their merged mirrors, sorted by kind and
// source. It is for programs that write merged rules in another form. A source is never
// listed among its own mirrors, even if it is tried before some of them. Scopes that are
// only insecure or blocked are left out, see [Rules.Insecure] and [Rules.Blocked].
func (r *Rules) Merged() iter.Seq[MergedSource] {
	r = r.orNone()
	return func(yield func(MergedSource) bool) {
		for _, e := range r.tables {
			if e.rule && !yield(e.mergedSource()) {
				return
			}
		}
		for _, w := range r.rewrites.sorted {
			if !yield(MergedSource{
				Kind: KindRewrite, Source: w.source, DigestMirrors: []Mirror{{Location: w.target}}, TagMirrors: []Mirror{{Location: w.target}},
			}) {
				return
			}
		}
	}
}

func (e *table) mergedSource() MergedSource {
	m := MergedSource{Kind: KindMirror, Source: e.prefix, NeverContactSource: e.blocked}
	for _, ep := range e.mirrors {
		if ep.location == e.prefix {
			continue
		}
		mirror := Mirror{Location: ep.location, Insecure: ep.insecure, ByTenant: ep.byTenant}
		if ep.pull != PullTag {
			m.DigestMirrors = append(m.DigestMirrors, mirror)
		}
		if ep.pull != PullDigest {
			m.TagMirrors = append(m.TagMirrors, mirror)
		}
	}
	return m
}
