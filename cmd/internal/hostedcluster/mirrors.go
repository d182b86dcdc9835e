package hostedcluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/mirrorchoice"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
)

// OptOut says whether HostedClusters may choose other mirrors than those of the management
// cluster; see package mirrorchoice.
type OptOut string

// Values of --management-mirrors-opt-out.
const (
	OptOutAllowed OptOut = "allowed"
	OptOutDenied  OptOut = "denied"
)

// ParseOptOut reads the value of --management-mirrors-opt-out.
func ParseOptOut(s string) (OptOut, error) {
	switch o := OptOut(s); o {
	case OptOutAllowed, OptOutDenied:
		return o, nil
	}
	return "", fmt.Errorf("%q: want %s or %s", s, OptOutAllowed, OptOutDenied)
}

// view is the mirror rules of all HostedClusters that choose alike. It does not change.
type view struct {
	*encodedRules                   // what is handed on, and of which rules
	lookups       *policy.Rules     // that releases are looked up with; nil is what the operator has
	choice        *metav1.Condition // that tells of the choice; nil where there is none
}

// views are the views of one set of management rules. Nearly all HostedClusters share one.
type views struct {
	of      *policy.Rules
	shared  *view
	mu      sync.Mutex // held over no work
	chosen  map[string]func() *view
	options mirrorOptions
}

// mirrorOptions are what flags say about choices.
type mirrorOptions struct {
	allowed, unblock bool
}

// maxViews bounds what is kept, by more than a fleet has choices.
const maxViews = 10_000

// viewOf returns the mirror rules of hc, where rules are those of the management cluster.
func (r *Reconciler) viewOf(hc *hyperv1.HostedCluster, rules *policy.Rules) *view {
	v := r.views.Load()
	if v == nil || v.of != rules {
		v = &views{
			of: rules, shared: &view{encodedRules: encode(rules)}, chosen: map[string]func() *view{},
			options: mirrorOptions{allowed: r.OptOut == OptOutAllowed, unblock: r.UnblockOnOptOut},
		}
		r.views.Store(v)
	}
	return v.find(hc)
}

// find returns the mirror rules of hc.
func (v *views) find(hc *hyperv1.HostedCluster) *view {
	_, mirrors := hc.Annotations[mirrorchoice.Mirrors]
	_, scopes := hc.Annotations[mirrorchoice.Scopes]
	if !mirrors && !scopes {
		return v.shared
	}
	choice, err := mirrorchoice.Parse(hc.Annotations)
	switch {
	case err != nil:
		return v.refused(hypershift.InvalidChoiceReason, err.Error())
	case choice.IsDefault():
		return v.shared
	case !v.options.allowed:
		return v.refused(hypershift.OptOutDeniedReason, fmt.Sprintf("The annotations %s and %s have no effect: the operator does not allow it (--management-mirrors-opt-out)", mirrorchoice.Mirrors, mirrorchoice.Scopes))
	}
	key := choice.Key(hc.Spec.ImageContentSources)
	v.mu.Lock()
	made, ok := v.chosen[key]
	if !ok {
		sources := hc.DeepCopy().Spec.ImageContentSources
		made = sync.OnceValue(func() *view { return v.make(choice, sources) })
		if len(v.chosen) >= maxViews {
			clear(v.chosen)
		}
		v.chosen[key] = made
	}
	v.mu.Unlock()
	return made()
}

// refused returns the default, with the reason why a choice is not in force.
func (v *views) refused(reason, message string) *view {
	out := *v.shared
	out.choice = new(hypershift.Condition(hypershift.ManagementMirrorsChosen, metav1.ConditionFalse, reason, message+". The mirrors of the management cluster are used"))
	return &out
}

// make works out the rules of a choice.
func (v *views) make(choice mirrorchoice.Choice, sources []hyperv1.ImageContentSource) *view {
	chosen, err := choice.Rules(v.of, sources, v.options.unblock)
	if err != nil {
		return v.refused(hypershift.InvalidChoiceReason, fmt.Sprintf("The rules that the annotation %s asks for cannot be in force together: %v", mirrorchoice.Mirrors, err))
	}
	follows := operator.TagsFollow(func() *policy.Rules { return chosen.Rules })
	return &view{encodedRules: encode(chosen.Rules), lookups: follows(), choice: new(tellChoice(choice, chosen))}
}

// tellChoice says which rules are in force, and which are not.
func tellChoice(choice mirrorchoice.Choice, chosen mirrorchoice.Chosen) metav1.Condition {
	text := []string{"Mirrors of the management cluster are used"}
	switch choice.Mode {
	case mirrorchoice.Ignore:
		text[0] = "Mirrors of the management cluster are not used, those of spec.imageContentSources are"
	case mirrorchoice.PreferHosted:
		text[0] = "Mirrors of spec.imageContentSources are used before those of the management cluster"
	}
	if len(chosen.Ignored) > 0 {
		text = append(text, "Ignored are the policies for "+list(chosen.Ignored))
		if len(chosen.Blocked) > 0 {
			text = append(text, "Of what the policies block, all stays blocked: "+list(chosen.Blocked))
		}
	}
	c := hypershift.Condition(hypershift.ManagementMirrorsChosen, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	if len(chosen.LeftOut) > 0 {
		c.Status, c.Reason = metav1.ConditionFalse, hypershift.EntriesSkippedReason
		text = append(text, "Left out are "+list(chosen.LeftOut))
	}
	c.Message = strings.Join(text, ". ")
	return c
}

// list returns names for a condition, of which there may be many.
func list(names []string) string {
	const most = 20
	if more := len(names) - most; more > 0 {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
