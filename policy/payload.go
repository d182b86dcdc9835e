package policy

import (
	"slices"
	"strings"
)

// unblocked is a blocked scope that nodes drop, and the release image that lies in it.
type unblocked struct {
	scope   Scope
	payload Payload
}

// dropPayloadScopes drops blocked scopes as getValidBlockedAndAllowedRegistries of the
// machine-config operator does: a cluster would not come up if it could not pull its own
// release. Only scopes of the policy that states the release are dropped: what flags or
// other clusters block is not the cluster's own image configuration.
func (s *statements) dropPayloadScopes(cfg RulesConfig, policies []Policy) {
	for _, p := range policies {
		for _, payload := range p.Payloads {
			around := slices.DeleteFunc(appendScopes(nil, p.Blocked), func(b Scope) bool {
				one := scopeSet([]Scope{b})
				return len(one.valuesAround(payload.Image.Name())) == 0
			})
			if len(around) == 0 || s.hasUnblockedMirror(cfg, payload) {
				continue
			}
			for _, scope := range around {
				s.unblocked = append(s.unblocked, unblocked{scope, payload})
			}
		}
	}
	for _, u := range s.unblocked {
		s.blocked = slices.DeleteFunc(s.blocked, func(b Scope) bool { return b == u.scope })
	}
}

// hasUnblockedMirror reports whether an endpoint for the release lies in no blocked scope. Only
// mirrors for digests count, whether the release itself is named by tag or by digest: it names
// its images by digest. Where nodes could not pull the release at all there is none; whoever
// merges the policies afterwards is told why.
func (s *statements) hasUnblockedMirror(cfg RulesConfig, payload Payload) bool {
	digests := *s
	digests.mirror = slices.DeleteFunc(slices.Clone(s.mirror), func(r *Rule) bool { return r.Pull == PullTag })
	t, _, err := mergeObjects(cfg, digests)
	if err != nil {
		return false
	}
	entries, err := t.load()
	if err != nil {
		return false
	}
	x, err := newIndex(entries)
	if err != nil {
		return false
	}
	image, err := payload.Image.WithDigest("sha256:" + strings.Repeat("0", 64)) // any: mirrors are chosen by name
	if err != nil {
		return false
	}
	all, err := (&Rules{index: x}).allCandidates(image.Normalize(), false)
	if err != nil {
		return false
	}
	blocked := scopeSet(s.blocked)
	return slices.ContainsFunc(all, func(c Candidate) bool { return len(blocked.valuesAround(c.Ref.Name())) == 0 })
}
