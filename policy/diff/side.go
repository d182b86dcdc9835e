package diff

import (
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Side is one of the two states that are compared. It is immutable.
type Side struct {
	rules    *policy.Rules
	conf     Conf
	policies []policy.Policy
}

// NewSide makes a side of policies. Errors are those of [policy.NewRules]. cfg is for
// images; nodes know none of its choices.
func NewSide(cfg policy.RulesConfig, policies ...policy.Policy) (Side, error) {
	rules, err := policy.NewRules(cfg, policies...)
	if err != nil {
		return Side{}, err
	}
	conf, err := confOf(policies)
	if err != nil {
		return Side{}, err
	}
	return Side{rules, conf, policies}, nil
}

// Rules returns the rules of the side.
func (s Side) Rules() *policy.Rules { return s.rules }

// refused returns why the machine-config operator would render nothing.
func (s Side) refused() []string {
	out := []string{}
	for _, w := range s.rules.Warnings() {
		if w.Code == policy.WarnStrictConflict {
			out = append(out, w.Message+" ("+strings.Join(w.Origins, ", ")+")")
		}
	}
	return out
}

// dropIns returns the tables of drop-ins.
func (s Side) dropIns() []policy.Rule {
	var out []policy.Rule
	for _, r := range s.rules.Policy().Rules {
		if r.DropIn {
			out = append(out, r)
		}
	}
	return out
}

// scopesOf returns the names of one kind of scopes that image configurations state.
func (s Side) scopesOf(which func(policy.Policy) []policy.Scope) []string {
	var names []string
	for _, p := range s.policies {
		for _, scope := range which(p) {
			if scope.Object != nil {
				names = append(names, scope.Name)
			}
		}
	}
	return names
}

// nodes compares all files of nodes that policies are in.
func nodes(old, updated Side) Nodes {
	n := Nodes{Reasons: []string{}, Refused: updated.refused()}
	add := func(a Action, reason string) {
		if a == Nothing {
			return
		}
		if n.Reasons = append(n.Reasons, reason); a > n.Action {
			n.Action = a
			n.Reasons[0], n.Reasons[len(n.Reasons)-1] = reason, n.Reasons[0]
		}
	}
	add(Disruption(old.conf, updated.conf))
	changed := func(which func(policy.Policy) []policy.Scope) bool {
		return !slices.Equal(old.scopesOf(which), updated.scopesOf(which))
	}
	if changed(func(p policy.Policy) []policy.Scope { return p.Allowed }) || changed(func(p policy.Policy) []policy.Scope { return p.Blocked }) {
		add(Reload, "/etc/containers/policy.json changes with allowedRegistries and blockedRegistries")
	}
	if changed(func(p policy.Policy) []policy.Scope { return p.Search }) {
		add(Reboot, "registries.conf.d/01-image-searchRegistries.conf changes with containerRuntimeSearchRegistries")
	}
	if !slices.EqualFunc(old.dropIns(), updated.dropIns(), sameTable) {
		add(Reboot, "a drop-in in /etc/containers/registries.conf.d changes")
	}
	return n
}

// sameTable reports whether two rules of drop-ins say the same.
func sameTable(a, b policy.Rule) bool {
	return a.Source == b.Source && a.Location == b.Location && a.Pull == b.Pull && a.Insecure == b.Insecure &&
		a.NeverContactSource == b.NeverContactSource && a.DigestOnly == b.DigestOnly && slices.Equal(a.Mirrors, b.Mirrors)
}
