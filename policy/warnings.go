package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func warningsOf(s statements, t *conf, sets []*group, entries, replaced []*table, rw rewrites, x *index) []Warning {
	w := &warner{index: x}
	for _, g := range sets {
		w.warnSourceFirst(g)
	}
	for _, r := range s.mirror {
		w.warnNeverWithoutMirrors(r)
	}
	for i := range t.dropped {
		w.warnDuplicate(&t.dropped[i])
	}
	w.warnScopes(s)
	w.warnClusters(s.clusters)
	for _, u := range s.unblocked {
		w.add(WarnBlockedPayload, []string{u.scope.Origin, u.payload.Origin}, "blocking %s has no effect, as on nodes: the cluster's own release lies in it, %s (%s), and no mirror is left to pull that by digest; state a mirror for it, or block narrower scopes",
			u.scope.Name, u.payload.Image, u.payload.Origin)
	}
	for _, e := range replaced {
		w.warnReplaced(e)
	}
	for _, e := range entries {
		w.warnHidden(e)
		w.warnUnparsable(e)
	}
	for _, r := range rw.sorted {
		if err := rewriteProblem(r); err != nil {
			w.add(WarnUnparsableRewrite, []string{r.origin}, "no image of %s can be rewritten to %s, so every lookup of one fails: %v", r.source, r.target, err)
		}
	}
	for _, p := range validate(s) {
		w.add(WarnStrictConflict, p.origins, "the machine-config operator refuses to render this, and nodes keep what they have: %v", p.err)
	}
	return w.sorted()
}

// warnSourceFirst warns where a contradiction in the orders was broken at the source.
func (w *warner) warnSourceFirst(g *group) {
	if !g.conflicting {
		return
	}
	at := slices.IndexFunc(g.mirrors, func(m endpoint) bool { return m.location == g.source })
	if e := w.index.exact(g.source); at < 0 || e != nil && e.dropIn {
		return
	}
	var behind []string
	for _, m := range g.mirrors[at+1:] {
		behind = append(behind, m.location)
	}
	w.add(WarnSourceFirst, g.origins(), "the orders of the mirrors of %s contradict each other, and nodes then try %s itself before %s: state the mirrors in one order everywhere, each of them once",
		g.source, g.source, strings.Join(behind, ", "))
}

// warnClusters warns of policies of several clusters, which are sorted by name.
func (w *warner) warnClusters(clusters []Cluster) {
	var list, origins []string
	for i, c := range clusters {
		if i == 0 || c.Name != clusters[i-1].Name {
			list, origins = append(list, fmt.Sprintf("%s (%s)", c.Name, c.Origin)), append(origins, c.Origin)
		}
	}
	if len(list) > 1 {
		w.add(WarnSeveralClusters, origins, "these are the policies of %d clusters, and no image is pulled by all of them: %s; choose one with --hosted-cluster NAMESPACE/NAME, or name its sources alone",
			len(list), strings.Join(list, ", "))
	}
}

// warnNeverWithoutMirrors warns of an entry that nodes drop, its policy included.
func (w *warner) warnNeverWithoutMirrors(r *Rule) {
	if !r.NeverContactSource || hasMirror(r) {
		return
	}
	if e := w.index.exact(r.Source); e != nil && e.blocked {
		return
	}
	w.add(WarnNeverNoMirrors, []string{r.Origin}, "NeverContactSource on %s does nothing, because the entry has no mirror: %s is contacted; add a mirror, or block %s with registrySources.blockedRegistries",
		r.Source, r.Source, r.Source)
}

// warnHidden warns where a table takes the images below it away from a less specific one,
// with all that this says.
func (w *warner) warnHidden(c *table) {
	parent := w.index.parent(c)
	if parent == nil {
		return
	}
	origins := slices.Concat(parent.origins, c.origins)
	if parent.blocked && !c.blocked && !c.isMoved() {
		w.add(WarnNeverHidden, origins, "%s is not to be contacted, but the more specific %s (%s) does not say so, and images in %s are pulled from there all the same: forbid %s too, or block %s with registrySources.blockedRegistries",
			parent.prefix, c.prefix, strings.Join(c.origins, ", "), c.prefix, c.prefix, parent.prefix)
	}
	if c.hasMirrors(PullTag) && !c.hasMirrors(PullDigest) && parent.hasMirrors(PullDigest) {
		w.add(WarnTagHidesDigest, origins, "%s has mirrors for tags only (%s), and being more specific than %s it hides the mirrors for digests there: images in %s are pulled by digest without a mirror; repeat those mirrors for %s in an ImageDigestMirrorSet",
			c.prefix, strings.Join(c.origins, ", "), parent.prefix, c.prefix, c.prefix)
	}
}

// warnUnparsable warns of a location that no image of the table can be put onto.
func (w *warner) warnUnparsable(e *table) {
	check := func(location string, origins []string) {
		base := imageref.NewBase(location)
		if base.IsPlain() && len(location) < longName {
			return
		}
		if err := baseProblem(e.prefix, base); err != nil {
			w.add(WarnUnparsableRewrite, origins, "no image of %s can be pulled from %s, so every pull that would try it fails, whatever other mirrors there are: %v", e.prefix, location, err)
		}
	}
	for _, m := range e.mirrors {
		check(m.location, m.origins)
	}
	if e.isMoved() {
		check(e.location, e.origins)
	}
}

// longName is a location behind which not even the shortest path may fit: a registry and a
// repository have 255 characters at most.
const longName = 250

// baseProblem puts images of a source onto base and returns why none fits.
func baseProblem(source string, base imageref.Base) error {
	if isWildcard(source) {
		source = "a" + source[1:]
	}
	var problem error
	for _, tail := range []string{"", "/a", "/a/a"} {
		ref, err := imageref.Parse(source + tail + ":a")
		if err != nil || !strings.HasPrefix(ref.Name(), source) {
			continue // not an image of source
		}
		var one [1]imageref.Ref
		_, err = imageref.Rebase(one[:], ref, len(source), []imageref.Base{base})
		if err == nil {
			return nil
		}
		problem = err
	}
	return problem
}

func rewriteProblem(r *rewrite) (err error) {
	for _, tail := range []string{":a", "/a:a", "/a/a:a"} {
		if _, err = imageref.ParseCanonical(r.target + tail); err == nil {
			return nil
		}
	}
	return err
}
