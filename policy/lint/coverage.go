package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// checkCoverage finds images of a release without a mirror.
func (f *findings) checkCoverage(cfg Config, rules *policy.Rules) {
	if len(cfg.Images) == 0 {
		f.checkReleaseAlone(rules)
		return
	}
	type repository struct {
		name string
		boot bool
	}
	var order []repository
	names := make(map[repository][]string)
	for _, image := range cfg.Images {
		candidates, err := rules.Candidates(image.Ref)
		if err == nil && slices.ContainsFunc(candidates, func(c policy.Candidate) bool { return c.Mirror }) {
			continue
		}
		r := repository{image.Ref.Name(), image.Boot}
		if names[r] == nil {
			order = append(order, r)
		}
		names[r] = append(names[r], image.Name)
	}
	for _, r := range order {
		code := ReleaseCoverage
		if r.boot {
			code = BootImageCoverage
		}
		f.add(code, nil, "no mirror for %s, where %s: %s", r.name, count(len(names[r])), some(names[r]))
	}
}

func count(n int) string {
	if n == 1 {
		return "1 image of the release is"
	}
	return fmt.Sprintf("%d images of the release are", n)
}

// checkReleaseAlone finds a namespace in which the repository of release images is mirrored
// and no other one. Where components lie is for their release to say; they never lie in the
// repository of release images itself.
func (f *findings) checkReleaseAlone(rules *policy.Rules) {
	for s := range rules.Merged() {
		namespace, ok := strings.CutSuffix(s.Source, "/ocp-release")
		if !ok || s.Kind != policy.KindMirror || len(s.DigestMirrors) == 0 {
			continue
		}
		others := false
		for o := range rules.Merged() {
			sibling := strings.HasPrefix(o.Source, namespace+"/") && o.Source != s.Source
			around := o.Source == namespace || strings.HasPrefix(namespace, o.Source+"/") || strings.HasPrefix(o.Source, "*.")
			others = others || (sibling || around) && len(o.DigestMirrors) > 0
		}
		if x, err := rules.Explain(below(s.Source, someDigest)); !others && err == nil {
			f.add(ReleaseAlone, originsOf(x), "%s is mirrored, and no other repository of %s", s.Source, namespace)
		}
	}
}
