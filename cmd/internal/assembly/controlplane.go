package assembly

import (
	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// ControlPlaneRow is a binary with two chains, of which one stands around the other.
type ControlPlaneRow struct {
	// Row is the chain for what ends in the data plane.
	Row
	// Rewrite stands around it for what runs in the control plane.
	Rewrite []chain.Layer
}

// ControlPlaneOperator returns the row of the operator that runs in the namespace of one hosted control plane, as long as
// that lives. components are the images to use for components whatever a release says.
func ControlPlaneOperator(d Deps, components map[string]imageref.Ref) ControlPlaneRow {
	return ControlPlaneRow{
		Row: Row{
			Sources: []sources.Factory{
				env.Factory(d.LookupEnv),    // MIRRORCHAIN_OVERRIDES, else OPENSHIFT_IMG_OVERRIDES: handed on in the Deployment
				file.Factory(file.Config{}), // --overrides-file instead: handed on in a ConfigMap, and followed
			}, // and --registry-overrides; none on the cluster, whose policies the hypershift-operator reads
			Layers: append([]chain.Layer{
				// Outermost of what both chains share, so that nothing is told twice.
				chain.Observe(chain.ObserveConfig{Observers: d.Observers}),
				// The operator's own images, and --image-overrides, in both releases.
				chain.Components(chain.ComponentsConfig{Images: components}),
			}, d.verified(
				// Releases are looked up whenever something changes.
				chain.Cache(chain.CacheConfig{}),
				// What asks for patience gets it from the controller's queue.
				chain.Mirrors(chain.MirrorsConfig{Health: d.Health, MaxRetryAfter: OperatorRetryAfter}),
				// What changed rules or a rotated pull secret ask for again is mostly here.
				chain.Store(chain.StoreConfig{}),
			)...),
		},
		Rewrite: []chain.Layer{
			// --registry-overrides, for what the management cluster runs. Not Live: its
			// nodes apply mirrors themselves. What ends on hosted nodes is never rewritten,
			// so it is not in the other chain.
			chain.Translate(chain.TranslateConfig{}),
		},
	}
}
