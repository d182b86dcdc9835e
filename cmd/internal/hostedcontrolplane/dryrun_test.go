package hostedcontrolplane_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// A dry run, with the rights that the operator has, says what the operator then does, and nothing once
// that is done.
func dryRun(t *testing.T, p *location) {
	p.source.Down()
	p.create(t, p.hcp())
	wouldDo := func(env map[string]string) operator.Judged {
		t.Helper()
		before, hcp := p.versions(t), new(hyperv1.HostedControlPlane)
		if err := p.get(t.Context(), "hcp", hcp); err != nil {
			t.Fatal(err)
		}
		judged, err := hcpkg.DryRun(t.Context(), hcpkg.Process{
			Options: p.options(env, hcpkg.Options{}), REST: p.account(), Base: p.base, Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, p.versions(t)); diff != "" {
			t.Errorf("it wrote (-before +after):\n%s", diff)
		}
		was := hcp.ResourceVersion
		if err := p.get(t.Context(), "hcp", hcp); err != nil || hcp.ResourceVersion != was {
			t.Errorf("it wrote the HostedControlPlane (%v)", err)
		}
		return judged
	}
	// changes lists what would become of which objects.
	changes := func(j operator.Judged) (out []string) {
		for _, c := range j.Changes {
			if c.Namespace != p.namespace || c.Unchecked != (c.Kind == "RoleBinding") || len(c.Fields) == 0 { // whose Role is not there
				t.Errorf("%+v", c)
			}
			out = append(out, c.Action+" "+c.Kind+" "+c.Name)
		}
		return out
	}
	vars := map[string]string{handover.ImageOverridesVariable: p.mirrored()}
	first := wouldDo(vars)
	want := []string{
		"change HostedControlPlane hcp", "create Deployment ignition-server", "create Role ignition-server", "create RoleBinding ignition-server",
		"create Secret ignition-server", "create Secret ignition-server-ca-cert", "create Service ignition-server", "create ServiceAccount ignition-server",
	}
	if got := changes(first); !slices.Equal(slices.Sorted(slices.Values(got)), want) || len(first.Failed) > 0 {
		t.Errorf("it would do %q, want %q; failed are %v", got, want, first.Failed)
	}
	for _, format := range []string{"text", "json"} {
		var text strings.Builder
		if err := first.Print(&text, format); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "LS0tLS1CRUdJTi") || strings.Contains(text.String(), "-----BEGIN") {
			t.Errorf("it shows a key or a certificate:\n%s", text.String())
		}
	}

	stop := p.run(t, vars, hcpkg.Options{})
	p.awaitValid(t)
	stop()
	if got := wouldDo(vars); len(got.Changes)+len(got.Failed) > 0 {
		t.Errorf("when it is done it would do %+v", got)
	}
	vars[handover.ImageOverridesVariable] = "="
	away := wouldDo(vars)
	if got := changes(away); !slices.Equal(got, []string{"change Deployment ignition-server", "change HostedControlPlane hcp"}) {
		t.Errorf("without the mirror it would do %q", got)
	}
	if len(away.Failed) != 1 || away.Failed[0].Name != "HostedControlPlane "+p.namespace+"/hcp" || !strings.Contains(away.Failed[0].Error, p.source.Host()) {
		t.Errorf("without the mirror, failed are %v", away.Failed)
	}
}
