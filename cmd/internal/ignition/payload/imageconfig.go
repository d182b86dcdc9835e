package payload

import (
	"encoding/json"
	"slices"

	configv1 "github.com/openshift/api/config/v1"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

const imageConfig = "image-config.yaml"

// openPayload returns the hosted cluster's image configuration without the blocked scopes
// that keep its nodes from their own release. machine-config-controller leaves them out too,
// but where it looks for mirrors it also finds those that are there for its registry client
// ([work.writeClientConfig]), which nodes do not have. What cannot be read is left for it to
// judge.
func (w *work) openPayload(r *components, config []byte) []byte {
	var doc map[string]any
	var image configv1.Image
	if yaml.Unmarshal(config, &doc) != nil || yaml.Unmarshal(config, &image) != nil || len(image.Spec.RegistrySources.BlockedRegistries) == 0 {
		return config
	}
	rules, err := w.nodeRules(r, config)
	if err != nil {
		w.cfg.Log.Debug("the node pool's mirror policies are not read", zap.String("for", w.in.Name), zap.Error(err))
		return config
	}
	var kept []string
	for _, name := range image.Spec.RegistrySources.BlockedRegistries {
		if slices.ContainsFunc(rules.Blocked(), func(s policy.Scope) bool { return s.Name == name }) {
			kept = append(kept, name)
		}
	}
	if len(kept) == len(image.Spec.RegistrySources.BlockedRegistries) {
		return config
	}
	image.Spec.RegistrySources.BlockedRegistries = kept
	sources, err := json.Marshal(image.Spec.RegistrySources)
	if err != nil {
		return config
	}
	doc["spec"].(map[string]any)["registrySources"] = json.RawMessage(sources)
	out, err := manifest(doc)
	if err != nil {
		return config
	}
	w.cfg.Log.Info("blocked registries that the nodes' own release is from are left out", zap.String("for", w.in.Name), zap.Strings("kept", kept))
	return out
}

// nodeRules returns the mirror policies of the nodes: those in the image configuration and in
// the node pool's configuration, for a cluster that runs the release.
func (w *work) nodeRules(r *components, config []byte) (*policy.Rules, error) {
	p, err := file.Parse(imageConfig, slices.Concat(config, []byte("\n---\n"), w.in.Config))
	if err != nil {
		return nil, err
	}
	p.Payloads = append(p.Payloads, policy.Payload{Image: r.request.Rules.Rewrite(r.request.Image), Origin: "the release"})
	return policy.NewRules(policy.RulesConfig{}, p)
}
