// Package policydiff reports what a change of mirror policies does, for people, programs
// and pull requests.
package policydiff

import (
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Report is the result of policy diff.
type Report struct {
	Old string `json:"old"` // as the command line names it
	New string `json:"new"`
	diff.Report
	HyperShift HyperShift `json:"hypershift"`
	// Notices are those about the new policies.
	notices.Notices
}

// HyperShift says what happens where the policies are those of a management cluster or of
// a hosted cluster.
type HyperShift struct {
	// Environment says whether OPENSHIFT_IMG_OVERRIDES or MIRRORCHAIN_OVERRIDES changes, and
	// with it the Deployments of all control planes that get the rules in the environment.
	Environment bool `json:"environment"`
	// ConfigMap says whether the ConfigMap changes in which rules are handed on. Nothing
	// restarts for it.
	ConfigMap bool `json:"configMap"`
	// NodePools says what the nodes of hosted clusters do, see the constants.
	NodePools string `json:"nodePools"`
	// Error says why the new rules cannot be handed on, "" if they can.
	Error string `json:"error"`
}

// What the nodes of NodePools do.
const (
	// PoolsNothing: a HostedCluster states the policies, and they stay as they are.
	PoolsNothing = "nothing"
	// PoolsRollout: a HostedCluster states the policies, and every textual change of them,
	// the order included, replaces or upgrades all nodes of all its NodePools.
	PoolsRollout = "rollout"
	// PoolsElsewhere: no HostedCluster states policies here.
	PoolsElsewhere = "not-stated"
)

// New makes the report. policies are what the sides were made of.
func New(old, updated diff.Side, oldPolicies, newPolicies []policy.Policy, images []diff.Image) *Report {
	r := &Report{Report: *diff.Compare(old, updated, images...), HyperShift: hypershift(old, updated, oldPolicies, newPolicies)}
	r.Same = r.Same && r.HyperShift.NodePools != PoolsRollout
	return r
}

func hypershift(old, updated diff.Side, oldPolicies, newPolicies []policy.Policy) HyperShift {
	var h HyperShift
	was, _ := handedOn(old.Rules())
	is, err := handedOn(updated.Rules())
	h.Environment, h.ConfigMap = was[0] != is[0], was[1] != is[1]
	if err != nil {
		h.Error = err.Error()
	}
	before, after := hosted(oldPolicies), hosted(newPolicies)
	switch {
	case len(before)+len(after) == 0:
		h.NodePools = PoolsElsewhere
	case slices.Equal(before, after):
		h.NodePools = PoolsNothing
	default:
		h.NodePools = PoolsRollout
	}
	return h
}

// handedOn returns what is in the environment and in the ConfigMap. An error is about what
// does not fit or cannot be said there.
func handedOn(rules *policy.Rules) (texts [2]string, err error) {
	bundle, err := handover.NewBundle(rules)
	if err != nil {
		return texts, err
	}
	env, err := bundle.Env()
	texts[0] = fmt.Sprint(env)
	data, dataErr := bundle.ConfigMapData()
	texts[1] = fmt.Sprint(data)
	if err == nil {
		err = dataErr
	}
	return texts, err
}

// hosted returns what HostedClusters state, in their order.
func hosted(policies []policy.Policy) []string {
	ofCluster := func(o *policy.Object) bool {
		return o != nil && (o.Kind == "HostedCluster" || o.Kind == "HostedControlPlane")
	}
	var out []string
	for _, p := range policies {
		for _, r := range p.Rules {
			if ofCluster(r.Object) {
				out = append(out, fmt.Sprint(r.Source, r.Mirrors))
			}
		}
		for field, scopes := range [][]policy.Scope{p.Insecure, p.Blocked, p.Allowed, p.Search} {
			for _, s := range scopes {
				if ofCluster(s.Object) {
					out = append(out, fmt.Sprint(field, s.Name))
				}
			}
		}
	}
	return out
}
