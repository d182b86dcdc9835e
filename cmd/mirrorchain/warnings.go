package main

import (
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/policy"
)

// warn tells what is surprising: first what concerns every image, then what concerns
// the images asked about, and of the rest how much there is.
func (a *app) warn(warnings []policy.Warning, images ...policy.Explanation) {
	every, these, others := notices.Sort(warnings, images...)
	a.warnSorted(every, these, others)
}

func (a *app) warnSorted(every, these, others []policy.Warning) {
	if a.opts.verbose {
		these, others = append(these, others...), nil
	}
	a.warnAll(append(every, these...))
	switch n := len(others); {
	case n == 1:
		a.noteOnce("1 warning about other policies; -v shows it")
	case n > 1:
		a.noteOnce(fmt.Sprintf("%d warnings about other policies; -v shows them", n))
	}
}

// warnAll tells every warning: what went wrong concerns no single image.
func (a *app) warnAll(warnings []policy.Warning) {
	for _, w := range warnings {
		a.warnOnce(notices.Sentence(w))
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
func (a *app) warnUnmirrored(p *policies, ref refArg, x policy.Explanation) {
	if x.Source == "" && slices.ContainsFunc(p.warnings(), func(w policy.Warning) bool { return w.Code == policy.WarnNoRules }) {
		a.warnf("no mirror applies to %s: it is looked for at its own registry, %s, and nowhere else", ref.Text, ref.Registry())
	}
}
