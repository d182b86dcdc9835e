package objects

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
)

// MirrorSet is an object that lists mirrors for sources.
type MirrorSet struct {
	Object
	// Pull says which references the kind's mirrors serve.
	Pull policy.PullBy
	// PolicyField is what the kind calls its source policy, for messages:
	// "mirrorSourcePolicy", "sourcePolicy". Empty where it has none.
	PolicyField string
	Entries     []Entry
}

// Entry is one entry of a [MirrorSet].
type Entry struct {
	Source  string
	Mirrors []string
	// SourcePolicy is "", AllowContactingSource or NeverContactSource.
	SourcePolicy string
	Line         int // 0 where there are no lines
}

// The values of mirrorSourcePolicy (openshift/api config/v1
// types_image_digest_mirror_set.go).
const (
	allowContactingSource = "AllowContactingSource"
	neverContactSource    = "NeverContactSource"
)

const noSource = "the entry has no source; name the registry, namespace or repository that is mirrored"

// AddTo appends the set's rules to p, one for each entry, in order. It fails with
// a [*policy.InvalidPolicyError] for an entry that says nothing meaningful: no
// source, an empty mirror, an unknown source policy. Formats of names are left to
// policy.NewRules.
func (s MirrorSet) AddTo(p *policy.Policy) error {
	object := s.stated()
	// The API server judges the names and the policy of these kinds (openshift/api config/v1).
	judged := s.Kind == IDMS().Name || s.Kind == ITMS().Name
	refused := func(origin, format string, args ...any) error {
		return &policy.InvalidPolicyError{Origin: origin, Err: fmt.Errorf(format, args...), RefusedByAPI: judged}
	}
	var wrong faults
	for i, e := range s.Entries {
		origin := s.Entry(e.Line, i+1)
		rule := policy.Rule{Source: e.Source, Pull: s.Pull, Origin: origin, Object: object}
		var err error
		if e.Source == "" {
			err = refused(origin, noSource)
		}
		for n, m := range e.Mirrors {
			if m == "" && err == nil {
				err = refused(origin, "mirror %d of source %q is empty; remove it or name a mirror", n+1, e.Source)
			}
			rule.Mirrors = append(rule.Mirrors, policy.Mirror{Location: m})
		}
		switch e.SourcePolicy {
		case "", allowContactingSource:
		case neverContactSource:
			rule.NeverContactSource = true
		default:
			if err == nil {
				err = refused(origin, "unknown %s %q for source %q; want %s or %s",
					s.PolicyField, e.SourcePolicy, e.Source, neverContactSource, allowContactingSource)
			}
		}
		if err != nil && len(wrong) < maxFaults {
			wrong = append(wrong, err)
		}
		p.Rules = append(p.Rules, rule)
	}
	if err := wrong.err(); err != nil {
		return err
	}
	if len(s.Entries) == 0 {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNoRules,
			Origins: []string{s.String()},
			Message: s.String() + " has no entries: no rules come from it",
		})
	}
	return nil
}
