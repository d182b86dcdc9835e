package lint

import (
	"errors"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Config says what else is known. The zero value works.
type Config struct {
	// Images are those of a release: each must have a mirror.
	Images []Image
	// Hosted says that the policies are meant for a HostedCluster of HyperShift.
	Hosted bool
}

// Image is an image of a release.
type Image struct {
	Name string       // of the component, for messages
	Ref  imageref.Ref // canonical
	Boot bool         // a boot image of KubeVirt, which few sites need
}

// maxLeftOut bounds how many entries are left out because nothing loads them.
const maxLeftOut = 100

// Check judges policies, as one set that is in force together. The result is sorted.
func Check(cfg Config, policies ...policy.Policy) []Finding {
	f := &findings{}
	f.checkAPI(policies)
	f.checkEntries(policies)
	f.checkHosted(cfg, policies)
	f.checkSize(policies)
	rules := f.merge(policies)
	f.checkCatalogs(policies, rules)
	f.addWarnings(policies, rules)
	f.checkSources(rules)
	f.checkCoverage(cfg, rules)
	Sort(f.all)
	return f.all
}

// UnreadableFinding returns the finding for a source that cannot be read or understood.
func UnreadableFinding(err error) Finding {
	if e, ok := errors.AsType[*policy.InvalidPolicyError](err); ok {
		f := New(Unreadable, strings.Split(e.Origin, ", "), "%v", e.Err)
		f.RefusedByAPI = e.RefusedByAPI
		return f
	}
	return New(Unreadable, nil, "%v", err)
}

// UnreadableFindings returns a finding for each of the errors that err is made of, as
// errors.Join makes one of many.
func UnreadableFindings(err error) []Finding {
	if _, ok := errors.AsType[*policy.InvalidPolicyError](err); ok {
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			var all []Finding
			for _, err := range e.Unwrap() {
				all = append(all, UnreadableFindings(err)...)
			}
			return all
		case *policy.InvalidPolicyError:
		case interface{ Unwrap() error }:
			return UnreadableFindings(e.Unwrap())
		}
	}
	return []Finding{UnreadableFinding(err)}
}

// merge makes rules of policies. Entries that no node loads are reported and left out, so
// that the others are judged.
func (f *findings) merge(policies []policy.Policy) *policy.Rules {
	policies = slices.Clone(policies)
	for range maxLeftOut {
		rules, err := policy.NewRules(policy.RulesConfig{}, policies...)
		if err == nil {
			return rules
		}
		f.all = append(f.all, UnreadableFinding(err))
		e, ok := errors.AsType[*policy.InvalidPolicyError](err)
		if !ok || !leaveOut(policies, strings.Split(e.Origin, ", ")) {
			break
		}
	}
	return &policy.Rules{}
}

// leaveOut removes the entries at origins, and reports whether there were any.
func leaveOut(policies []policy.Policy, origins []string) bool {
	found := false
	at := func(origin string) bool {
		in := slices.Contains(origins, origin)
		found = found || in
		return in
	}
	for i := range policies {
		p := &policies[i]
		p.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool { return at(r.Origin) })
		p.Insecure = slices.DeleteFunc(slices.Clone(p.Insecure), func(s policy.Scope) bool { return at(s.Origin) })
		p.Blocked = slices.DeleteFunc(slices.Clone(p.Blocked), func(s policy.Scope) bool { return at(s.Origin) })
	}
	return found
}

// addWarnings adds what reading and merging the policies gave rise to. What is said already
// about the same entries in the API's terms is left out.
func (f *findings) addWarnings(policies []policy.Policy, rules *policy.Rules) {
	var all []policy.Warning
	for _, p := range policies {
		all = append(all, p.Warnings...)
	}
	var said []string // entries of which the form is wrong
	for _, n := range f.all {
		if n.Code == CRDPattern || n.Code == SourceIsMirror && n.Severity == Error {
			said = append(said, n.Origins...)
		}
	}
	for _, w := range append(all, rules.Warnings()...) {
		form := w.Code == policy.WarnUnparsableRewrite || w.Code == policy.WarnDeadScope || w.Code == policy.WarnOddScope ||
			w.Code == policy.WarnStrictConflict && !strings.Contains(w.Message, "conflicting mirrorSourcePolicy")
		news := slices.ContainsFunc(w.Origins, func(o string) bool { return !slices.Contains(said, o) })
		if !form || news || len(w.Origins) == 0 {
			f.add(w.Code, w.Origins, "%s", w.Message)
		}
	}
}
