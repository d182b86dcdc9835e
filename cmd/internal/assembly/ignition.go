package assembly

import (
	"context"
	"fmt"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// IgnitionServer returns the row of the server that makes payloads for nodes, in the
// namespace of one hosted control plane. It pulls component images through
// [chain.Images], with the same rules.
func IgnitionServer(d Deps) Row {
	return Row{
		Sources: []sources.Factory{
			env.Factory(d.LookupEnv),    // MIRRORCHAIN_OVERRIDES, else OPENSHIFT_IMG_OVERRIDES: handed on in the Deployment
			file.Factory(file.Config{}), // --overrides-file instead: handed on in a ConfigMap, and followed
		}, // and --registry-overrides
		Layers: append([]chain.Layer{
			// Outermost, so that metrics and logs tell of everything below.
			chain.Observe(chain.ObserveConfig{Observers: d.Observers}),
			// Live, for nothing in the pod follows the policies when this process pulls; and
			// --registry-overrides in what ends on nodes.
			chain.Translate(chain.TranslateConfig{Live: true}),
			// No Components: nodes get the release as it is.
		}, d.verified(
			// Node pools have few releases, and payloads are made again when something changes.
			chain.Cache(chain.CacheConfig{}),
			// What is known of hosts is shared with the images that are pulled.
			chain.Mirrors(chain.MirrorsConfig{Health: d.Health, MaxRetryAfter: d.MaxRetryAfter}),
			// What changed rules or a rotated pull secret ask for again is mostly here.
			chain.Store(chain.StoreConfig{}),
		)...),
	}
}

// HandedOver opens what a binary in a control plane was handed: the document in
// mounted, a file, if that is not ""; else that in its environment, or the variable
// that HyperShift's binaries read. flag are the rules of --registry-overrides.
func (r Row) HandedOver(ctx context.Context, mounted string, flag []policy.Rule) ([]policy.OverrideSource, error) {
	reg, err := sources.NewSchemes(r.Sources...)
	if err != nil {
		return nil, err
	}
	spec := "env:" + handover.Variable + "," + handover.ImageOverridesVariable
	if mounted != "" {
		spec = "file:" + mounted
	}
	handed, err := reg.Open(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", spec, err)
	}
	return []policy.OverrideSource{handed, sources.Static("--registry-overrides", policy.Policy{Rules: flag})}, nil
}
