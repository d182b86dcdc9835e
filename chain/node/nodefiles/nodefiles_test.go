package nodefiles_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
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
	files, err := nodefiles.Render(r, nil, all...)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, f := range files {
		out[f.Name] = string(f.Data)
	}
	return out
}

type policyJSON struct {
	Default    []struct{ Type string }
	Transports map[string]map[string][]struct{ Type string }
}

func decode(t *testing.T, files []nodefiles.File) (p policyJSON) {
	t.Helper()
	i := slices.IndexFunc(files, func(f nodefiles.File) bool { return f.Name == nodefiles.PolicyJSON })
	if err := json.Unmarshal(files[i].Data, &p); err != nil {
		t.Fatal(err)
	}
	return p
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
	p := decode(t, []nodefiles.File{{Name: nodefiles.PolicyJSON, Data: []byte(files[nodefiles.PolicyJSON])}})
	docker := p.Transports["docker"]
	if p.Default[0].Type != "insecureAcceptAnything" || len(docker) != 4 || docker["bad.corp"][0].Type != "reject" ||
		docker["quay.io/openshift-release-dev/ocp-release"][0].Type != "sigstoreSigned" || len(p.Transports["atomic"]) != 4 {
		t.Errorf("got %s", files[nodefiles.PolicyJSON])
	}
	if conf := files[nodefiles.RegistriesConf]; !strings.HasPrefix(conf, "unqualified-search-registries = ") || strings.Count(conf, "[[registry]]") != 4 {
		t.Errorf("got %s", conf)
	}
}

// What image configurations allow and block, with the exception for the release that runs.
func TestAdmission(t *testing.T) {
	const release = "quay.io/openshift-release-dev/ocp-release"
	scopes := func(names ...string) (out []policy.Scope) {
		for _, n := range names {
			out = append(out, policy.Scope{Name: n})
		}
		return out
	}
	mirrored := []policy.Rule{{Source: release, Mirrors: []policy.Mirror{{Location: "m.corp/ocp/release"}}}}
	runs := []policy.Payload{{Image: imageref.MustParse(release + ":4.22.3")}}
	for name, c := range map[string]struct {
		stated policy.Policy
		images []sigstore.ImagePolicy
		others string
		want   map[string]string
	}{
		"allowed":          {policy.Policy{Allowed: scopes("quay.io", "*.redhat.io")}, nil, "reject", map[string]string{"quay.io": "insecureAcceptAnything", "*.redhat.io": "insecureAcceptAnything"}},
		"allowed, signed":  {policy.Policy{Allowed: scopes(release, "a.corp")}, []sigstore.ImagePolicy{openShift(t, 21)}, "reject", map[string]string{release: "sigstoreSigned", "a.corp": "insecureAcceptAnything"}},
		"blocked":          {policy.Policy{Blocked: scopes("bad.corp")}, nil, "insecureAcceptAnything", map[string]string{"bad.corp": "reject"}},
		"exempt":           {policy.Policy{Rules: mirrored, Blocked: scopes("quay.io"), Payloads: runs}, nil, "insecureAcceptAnything", map[string]string{"quay.io": "reject", release: "insecureAcceptAnything"}},
		"not exempt":       {policy.Policy{Rules: mirrored, Blocked: scopes("quay.io")}, nil, "insecureAcceptAnything", map[string]string{"quay.io": "reject"}},
		"dropped":          {policy.Policy{Blocked: scopes("quay.io"), Payloads: runs}, nil, "insecureAcceptAnything", nil},
		"by its own name":  {policy.Policy{Rules: mirrored, Blocked: scopes(release), Payloads: runs}, nil, "reject", map[string]string{release: "insecureAcceptAnything"}},
		"and it is signed": {policy.Policy{Rules: mirrored, Blocked: scopes(release), Payloads: runs}, []sigstore.ImagePolicy{openShift(t, 21)}, "reject", map[string]string{release: "sigstoreSigned"}},
	} {
		files, err := nodefiles.Render(newRules(t, c.stated), []policy.Policy{c.stated}, c.images...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := decode(t, files)
		got := make(map[string]string)
		for scope, r := range p.Transports["docker"] {
			got[scope] = r[0].Type
		}
		if p.Default[0].Type != c.others || !maps.Equal(got, c.want) {
			t.Errorf("%s: %s, %v; want %s, %v", name, p.Default[0].Type, got, c.others, c.want)
		}
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
		"allowed": {policy.Policy{Allowed: []policy.Scope{{Name: "registry.redhat.io"}}}, good, "scope quay.io/openshift-release-dev/ocp-release lies in no allowed registry; allowed are [registry.redhat.io]"},
		"both":    {policy.Policy{Allowed: []policy.Scope{{Name: "quay.io"}}, Blocked: []policy.Scope{{Name: "bad.corp"}}}, good, "allowedRegistries and blockedRegistries are both set"},
		"several": {policy.Policy{
			Rules:    []policy.Rule{{Source: "r.corp/ocp", Mirrors: []policy.Mirror{{Location: "m.corp/ocp"}}}},
			Blocked:  []policy.Scope{{Name: "r.corp"}, {Name: "r.corp/ocp"}},
			Payloads: []policy.Payload{{Image: imageref.MustParse("r.corp/ocp/release:1")}},
		}, good, "several scopes around r.corp/ocp/release, the repository of the release that runs"},
		"scope":  {policy.Policy{Allowed: []policy.Scope{{Name: "*.io/a", Origin: "image/cluster allowedRegistries#1"}}}, good, `image/cluster allowedRegistries#1: "*.io/a" is no scope`},
		"wild":   {policy.Policy{Blocked: []policy.Scope{{Name: "*.io"}}}, good, "lies in *.io"},
		"kind":   {policy.Policy{}, namespaced, "only a ClusterImagePolicy"},
		"broken": {policy.Policy{}, broken, "clusterimagepolicy/openshift"},
		"mirror": {policy.Policy{Rules: []policy.Rule{{Source: "quay.io/openshift-release-dev/ocp-release", Mirrors: []policy.Mirror{{Location: "a.corp"}}, Origin: "idms#1"}}},
			good, "idms#1"},
	} {
		if files, err := nodefiles.Render(newRules(t, c.policy), []policy.Policy{c.policy}, c.image); err == nil || files != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v", name, files, err)
		}
	}
}
