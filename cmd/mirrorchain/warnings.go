package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// warn tells what is surprising: first what concerns every image, then what
// concerns the entries named, and of the rest how much there is.
func (a *app) warn(warnings []policy.Warning, origins []string) {
	var every, these, others []policy.Warning
	for _, w := range warnings {
		switch {
		case w.Code == policy.WarnStrictConflict:
			every = append([]policy.Warning{w}, every...)
		case concernsEveryImage(w):
			every = append(every, w)
		case concerns(w, origins):
			these = append(these, w)
		default:
			others = append(others, w)
		}
	}
	if a.opts.verbose {
		these, others = append(these, others...), nil
	}
	for _, w := range append(every, these...) {
		a.warnf("%s", sayWarning(w))
	}
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
		a.warnf("%s", sayWarning(w))
	}
}

func concerns(w policy.Warning, origins []string) bool {
	return slices.ContainsFunc(w.Origins, func(o string) bool { return slices.Contains(origins, o) })
}

// concernsEveryImage: a set that nodes would not take up at all, or a source of
// which less is in force than its author thinks.
func concernsEveryImage(w policy.Warning) bool {
	switch w.Code {
	case policy.WarnStrictConflict, policy.WarnNoRules, policy.WarnMisspeltKind, policy.WarnNotEnforced, policy.WarnKindAbsent:
		return true
	}
	return false
}

// warnings are those of the sources, then those of the merged rules, but for what
// one of errs says already.
func (p *policies) warnings(errs ...error) []policy.Warning {
	var all []policy.Warning
	for _, policy := range p.loaded {
		all = append(all, policy.Warnings...)
	}
	if p.rules != nil {
		all = append(all, p.rules.Warnings()...)
	}
	for _, err := range errs {
		if e, ok := errors.AsType[*policy.RewriteError](err); ok {
			all = slices.DeleteFunc(all, func(w policy.Warning) bool {
				return w.Code == policy.WarnUnparsableRewrite && concerns(w, e.Origins) && strings.Contains(w.Message, " "+e.Location+",")
			})
		}
	}
	return all
}

// warnUnmirrored says what it means for an image that a source gave no rules.
func (a *app) warnUnmirrored(p *policies, ref refArg, res policy.Resolution) {
	if res.Source == "" && slices.ContainsFunc(p.warnings(), func(w policy.Warning) bool { return w.Code == policy.WarnNoRules }) {
		a.warnf("no mirror applies to %s: it is looked for at its own registry, %s, and nowhere else", ref.Text, ref.Registry())
	}
}

func sayWarning(w policy.Warning) string {
	for _, o := range w.Origins {
		if !strings.Contains(w.Message, o) {
			return w.Message + " (" + strings.Join(w.Origins, ", ") + ")"
		}
	}
	return w.Message
}
