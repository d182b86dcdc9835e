package hostedcontrolplane

import (
	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Releases are the two releases of a HostedControlPlane.
type Releases struct {
	// ControlPlane has its components rewritten by the registry overrides.
	ControlPlane *provider.Release
	// User has them as the release states them: nodes apply mirrors of their own.
	User *provider.Release
}

// Missing returns the names of component images that are asked for and that the release
// concerned lacks, sorted. The nodes' payload needs that which renders the
// feature gate and the machine-config-operator. The control plane needs none of its
// release: the operator's image, which it runs, is known without.
func (r Releases) Missing() []string {
	var missing []string
	for _, name := range []string{configComponent(r.User), "machine-config-operator"} {
		if _, ok := r.User.Component(name); !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// Unknown returns those of names that are no components of the release: they are there
// because the image overrides name them.
func (r Releases) Unknown(names []string) (unknown []string) {
	for _, name := range names {
		if c, ok := r.User.Component(name); ok && c.Annotations[chain.AddedAnnotation] != "" {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// configComponent returns the component that renders the feature gate: another one
// before 4.15. A version that reads like none counts as a new one.
func configComponent(release *provider.Release) string {
	version, err := hypershift.ParseMinor(release.Version())
	if err == nil && version.Compare(hypershift.Minor{Major: 4, Minor: 15}) < 0 {
		return "cluster-config-operator"
	}
	return "cluster-config-api"
}
