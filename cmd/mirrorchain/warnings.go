package main

import (
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
)

// warn tells what is surprising: first what concerns every image, then what
// concerns the entries named, and of the rest how much there is.
func (a *app) warn(warnings []policy.Warning, origins []string) {
	every, these, others := notices.Sort(warnings, origins)
	if a.opts.verbose {
		these, others = append(these, others...), nil
	}
	a.warnAll(append(every, these...))
	switch n := len(others); {
	case n == 1:
		a.notef("1 warning about other policies; -v shows it")
	case n > 1:
		a.notef("%d warnings about other policies; -v shows them", n)
	}
}

// warnAll tells every warning: what went wrong concerns no single image.
func (a *app) warnAll(warnings []policy.Warning) {
	for _, w := range warnings {
		a.warnf("%s", notices.Sentence(w))
	}
}

// warnings returns those of the sources and of the merged rules, without what one of
// errs says already.
func (p *policies) warnings(errs ...error) []policy.Warning {
	return notices.Collect(p.loaded, p.rules, errs...)
}

// notices returns all warnings and what was skipped, for JSON.
func (p *policies) notices(errs ...error) notices.Notices {
	return notices.New(p.warnings(errs...), p.loaded)
}

// warnUnmirrored says what it means for an image that a source gave no rules.
func (a *app) warnUnmirrored(p *policies, ref refArg, res policy.Resolution) {
	if res.Source == "" && slices.ContainsFunc(p.warnings(), func(w policy.Warning) bool { return w.Code == policy.WarnNoRules }) {
		a.warnf("no mirror applies to %s: it is looked for at its own registry, %s, and nowhere else", ref.Text, ref.Registry())
	}
}

// What is done where the mirrors that match serve the other kind of reference only:
// the most common mistakes at a disconnected site.
const (
	mendTag    = "name the release by digest, state an ImageTagMirrorSet, or give --tags-follow-digest-rules"
	mendDigest = "state an ImageDigestMirrorSet"
)

// hintsTag says that mirrors were skipped because ref has a tag and they serve digests
// only, or the reverse.
func (l *lookups) hintsTag(ref refArg) []string { return hintsSkipped(l.policies, ref, l.res) }

func hintsSkipped(p *policies, ref refArg, res policy.Resolution) []string {
	digest := ref.Digest() != ""
	n := len(p.skipped(res, digest))
	if n == 0 {
		return nil
	}
	serves, kind, mend := "digests", "tag", mendTag
	if digest {
		serves, kind, mend = "tags", "digest", mendDigest
	}
	if n == 1 {
		return []string{fmt.Sprintf("1 mirror serves %s only and was skipped for this %s; %s", serves, kind, mend)}
	}
	return []string{fmt.Sprintf("%s serve %s only and were skipped for this %s; %s", output.Plural(n, "mirror"), serves, kind, mend)}
}
