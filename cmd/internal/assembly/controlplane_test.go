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
	for deps, want := range map[*Deps]string{
		{}:               "translate > (observe > components > cache > mirrors > store > registry)",
		{Verify: unread}: "translate > (observe > components > verify > cache > mirrors > store > registry)",
	} {
		controlPlaneIs(t, *deps, want)
	}
}

func controlPlaneIs(t *testing.T, deps Deps, chained string) {
	t.Helper()
	row := ControlPlaneOperator(deps, nil)
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
	if got := controlPlane.String(); got != chained {
		t.Errorf("chain %q, want %q", got, chained)
	}
}
