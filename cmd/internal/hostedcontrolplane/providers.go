package hostedcontrolplane

import (
	"context"
	"fmt"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Providers look up the two releases of a hosted control plane. They share one
// cache, one choice of mirrors, one store and one registry client, so that a release
// which both name is read once.
type Providers struct {
	// User is for what ends in the data plane: nothing is rewritten, for its nodes
	// know nothing of the management cluster's registries.
	User *chain.Chain
	// ControlPlane is for what runs here: the registry overrides are in its results.
	ControlPlane *chain.Chain
}

// NewProviders makes both around base. core are the layers that they share,
// rewrite those of ControlPlane alone; see package assembly.
func NewProviders(base provider.ReleaseProvider, current func() *policy.Rules, core, rewrite []chain.Layer) (Providers, error) {
	user, err := chain.New(base, current, core...)
	if err != nil {
		return Providers{}, fmt.Errorf("the chain of both providers: %w", err)
	}
	controlPlane, err := chain.New(user, current, rewrite...)
	if err != nil {
		return Providers{}, fmt.Errorf("the chain of the control plane: %w", err)
	}
	return Providers{User: user, ControlPlane: controlPlane}, nil
}

// Lookup looks both releases up, one snapshot of the rules for both.
func (p Providers) Lookup(ctx context.Context, rules *policy.Rules, credentials provider.Credentials, mirrors provider.MirrorCredentials, controlPlane, user string) (Releases, error) {
	var r Releases
	for _, one := range []struct {
		of    string
		image string
		from  *chain.Chain
		into  **provider.Release
	}{
		{"control plane", controlPlane, p.ControlPlane, &r.ControlPlane},
		{"user", user, p.User, &r.User},
	} {
		ref, err := imageref.Parse(one.image)
		if err != nil {
			return Releases{}, &provider.Error{Op: "reading the name of the " + one.of + " release image", Class: provider.ClassInvalid, Err: err}
		}
		*one.into, err = one.from.Lookup(ctx, provider.Request{Image: ref, Credentials: credentials, MirrorCredentials: mirrors, Rules: rules})
		if err != nil {
			return Releases{}, fmt.Errorf("failed to lookup release image: %s release: %w", one.of, err)
		}
	}
	return r, nil
}
