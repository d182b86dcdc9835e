package nodefiles_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// The module test/peers compares the files with what the code of nodes makes of the same
// policies. Here is what they look like.

func newRules(t *testing.T, p policy.Policy) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openShift(t *testing.T, minor int) sigstore.ImagePolicy {
	t.Helper()
	p, ok := sigstore.OpenShift(minor)
	if !ok {
		t.Fatal("no policy")
	}
	return p
}

func render(t *testing.T, r *policy.Rules, all ...sigstore.ImagePolicy) map[string]string {
	t.Helper()
	files, err := nodefiles.Render(r, all...)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, f := range files {
		out[f.Name] = string(f.Data)
	}
	return out
}

func TestNoPolicies(t *testing.T) {
	files := render(t, nil)
	if len(files) != 2 || strings.Contains(files[nodefiles.RegistriesConf], "[[registry]]") || strings.Contains(files[nodefiles.PolicyJSON], "sigstoreSigned") {
		t.Errorf("got %q", files)
	}
}

func TestRender(t *testing.T) {
	rules := newRules(t, policy.Policy{
		Rules: []policy.Rule{
			{Source: "quay.io/openshift-release-dev", Mirrors: []policy.Mirror{{Location: "mirror.corp:8443/ocp"}}, NeverContactSource: true},
			{Source: "quay.io/openshift-release-dev/ocp-release/nested", Mirrors: []policy.Mirror{{Location: "other.corp/nested"}}},
			{Source: "docker.io/unsigned", Mirrors: []policy.Mirror{{Location: "mirror.corp:8443/hub"}}},
		},
		Blocked: []policy.Scope{{Name: "bad.corp"}},
	})
	files := render(t, rules, openShift(t, 22))
	const want = `docker:
  "mirror.corp:8443/ocp/ocp-release":
    use-sigstore-attachments: true
  "mirror.corp:8443/ocp/ocp-v4.0-art-dev":
    use-sigstore-attachments: true
  "mirror.corp:8443/ocp/ocp-v5.0-art-dev":
    use-sigstore-attachments: true
  "other.corp/nested":
    use-sigstore-attachments: true
  "quay.io/openshift-release-dev/ocp-release":
    use-sigstore-attachments: true
  "quay.io/openshift-release-dev/ocp-release/nested":
    use-sigstore-attachments: true
  "quay.io/openshift-release-dev/ocp-v4.0-art-dev":
    use-sigstore-attachments: true
  "quay.io/openshift-release-dev/ocp-v5.0-art-dev":
    use-sigstore-attachments: true
`
	if got := files[nodefiles.SigstoreRegistries]; got != want {
		t.Errorf("got %s", got)
	}
	var p struct {
		Default    []struct{ Type string }
		Transports map[string]map[string][]struct{ Type string }
	}
	if err := json.Unmarshal([]byte(files[nodefiles.PolicyJSON]), &p); err != nil {
		t.Fatal(err)
	}
	docker := p.Transports["docker"]
	if p.Default[0].Type != "insecureAcceptAnything" || len(docker) != 4 || docker["bad.corp"][0].Type != "reject" ||
		docker["quay.io/openshift-release-dev/ocp-release"][0].Type != "sigstoreSigned" || len(p.Transports["atomic"]) != 4 {
		t.Errorf("got %s", files[nodefiles.PolicyJSON])
	}
	if conf := files[nodefiles.RegistriesConf]; !strings.HasPrefix(conf, "unqualified-search-registries = ") || strings.Count(conf, "[[registry]]") != 4 {
		t.Errorf("got %s", conf)
	}
}

func TestRefused(t *testing.T) {
	good := openShift(t, 21)
	namespaced, broken := good, good
	namespaced.Kind, namespaced.Metadata.Namespace = "ImagePolicy", "some"
	broken.Spec.Policy.RootOfTrust.PolicyType = "PKI"
	for name, c := range map[string]struct {
		policy policy.Policy
		image  sigstore.ImagePolicy
		want   string
	}{
		"rewrite": {policy.Policy{Rules: []policy.Rule{{Kind: policy.KindRewrite, Source: "quay.io", Mirrors: []policy.Mirror{{Location: "a.corp"}}, Pull: policy.PullAny, Origin: "here"}}}, good, "here: nodes have no rule"},
		"blocked": {policy.Policy{Blocked: []policy.Scope{{Name: "quay.io", Origin: "image/cluster"}}}, good, "lies in quay.io, which is blocked (image/cluster)"},
		"wild":    {policy.Policy{Blocked: []policy.Scope{{Name: "*.io"}}}, good, "lies in *.io"},
		"kind":    {policy.Policy{}, namespaced, "only a ClusterImagePolicy"},
		"broken":  {policy.Policy{}, broken, "clusterimagepolicy/openshift"},
		"mirror": {policy.Policy{Rules: []policy.Rule{{Source: "quay.io/openshift-release-dev/ocp-release", Mirrors: []policy.Mirror{{Location: "a.corp"}}, Origin: "idms#1"}}},
			good, "idms#1"},
	} {
		if files, err := nodefiles.Render(newRules(t, c.policy), c.image); err == nil || files != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v", name, files, err)
		}
	}
}
