package assembly

import (
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/sources"
)

func TestControlPlaneOperator(t *testing.T) {
	row := ControlPlaneOperator(Deps{}, nil)
	reg, err := sources.NewSchemes(row.Sources...)
	if err != nil {
		t.Fatal(err)
	}
	var schemes []string
	for _, f := range reg.Factories() {
		schemes = append(schemes, f.Scheme)
	}
	if got, want := strings.Join(schemes, " "), "env file"; got != want {
		t.Errorf("sources %q, want %q", got, want)
	}
	current := func() *policy.Rules { return nil }
	nobody := base{providertest.Base{ReleaseProvider: providertest.Fails(provider.ErrNotFound)}}
	user, err := chain.New(nobody, current, row.Layers...)
	if err != nil {
		t.Fatal(err)
	}
	controlPlane, err := chain.New(user, current, row.Rewrite...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := controlPlane.String(), "translate > (observe > components > cache > mirrors > store > registry)"; got != want {
		t.Errorf("chain %q, want %q", got, want)
	}
}
