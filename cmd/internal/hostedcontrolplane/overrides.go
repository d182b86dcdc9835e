package hostedcontrolplane

import (
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Overrides are the rules as the ignition server is handed them.
type Overrides struct {
	// Env are the variables of its container.
	Env []handover.EnvVar
	// RegistryOverrides is the value of its flag --registry-overrides.
	RegistryOverrides string
	// Mounted says that the rules are in the ConfigMap [handover.ConfigMap], which is
	// to be mounted, and that Env holds none.
	Mounted bool
}

// HandOver writes rules, the operator's own, as environment and flag. The variable
// that HyperShift's binaries read has the registry overrides too, as the last
// mirrors of their sources; the document has everything.
//
// If a value is too large for its place the error is a [*handover.TooLargeError], and
// nothing may be written. No rules yet are [provider.ErrNoRules].
func HandOver(rules *policy.Rules) (Overrides, error) {
	bundle, err := handover.NewBundle(rules)
	if err != nil {
		return Overrides{}, err
	}
	vars, err := bundle.Env()
	if err != nil {
		return Overrides{}, err
	}
	for i := range vars {
		if vars[i].Name == handover.ImageOverridesVariable {
			if vars[i].Value, err = mergedImageOverrides(rules); err != nil {
				return Overrides{}, err
			}
		}
	}
	flag, err := bundle.RegistryOverrides()
	return Overrides{Env: vars, RegistryOverrides: flag}, err
}

// HandOverMounted hands on the rules of the operator's own flag, registryOverrides.
// All others are in the ConfigMap, so that no Deployment changes with them: not even
// the variable that HyperShift's binaries read.
func HandOverMounted(registryOverrides []policy.Rule) (Overrides, error) {
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: registryOverrides})
	if err != nil {
		return Overrides{}, err
	}
	bundle, err := handover.NewBundle(rules)
	if err != nil {
		return Overrides{}, err
	}
	none, err := handover.EncodeImageOverrides(nil)
	if err != nil {
		return Overrides{}, err
	}
	flag, err := bundle.RegistryOverrides()
	return Overrides{Env: []handover.EnvVar{{Name: handover.ImageOverridesVariable, Value: none}}, RegistryOverrides: flag, Mounted: true}, err
}

// mergedImageOverrides returns the value of [handover.ImageOverridesVariable] with each Rewrite rule as the
// last mirror of its source, once.
func mergedImageOverrides(rules *policy.Rules) (string, error) {
	merged := map[string][]string{}
	for s := range rules.Merged() {
		for _, mirror := range slices.Concat(s.DigestMirrors, s.TagMirrors) {
			if !slices.Contains(merged[s.Source], mirror.Location) {
				merged[s.Source] = append(merged[s.Source], mirror.Location)
			}
		}
	}
	value, err := handover.EncodeImageOverrides(merged)
	if err != nil {
		return "", err
	}
	if size := len(handover.ImageOverridesVariable) + 1 + len(value); size > handover.MaxEnv {
		return "", &handover.TooLargeError{
			What: handover.ImageOverridesVariable, Size: size, Limit: handover.MaxEnv,
			Advice: fmt.Sprintf("hand the overrides over in the ConfigMap %s (--override-handover=configmap)", handover.ConfigMap),
		}
	}
	return value, nil
}
