package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	configv1 "github.com/openshift/api/config/v1"
	"github.com/openshift/runtime-utils/pkg/registries"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/signature"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// admissionSet is an image configuration of a cluster, and what decides about its policy.json
// beside it.
type admissionSet struct {
	payload          string // the release that runs
	blocked, allowed []string
	mirrors          []configv1.ImageDigestMirrors
	policies         []imagePolicy
}

// TestAdmissionFiles renders policy.json for random image configurations. It must be what the
// rule of the machine-config operator makes of them with the code of nodes, and be refused
// where that makes nothing.
func TestAdmissionFiles(t *testing.T) {
	root, keys := t.TempDir(), newKeys(t)
	seen := coverage{}
	for i := range *sets {
		g := newGenerator(*seed + uint64(i))
		s := g.admissionSet(keys)
		dir := filepath.Join(root, fmt.Sprint(i))
		want, wantErr := s.peers(t, dir)
		got, err := s.ours(t)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("set of seed %d: %+v\nnodes: %v\nours:  %v", *seed+uint64(i), s, wantErr, err)
			continue
		}
		seen.addIf("nothing is rendered", err != nil)
		if err != nil {
			continue
		}
		path := filepath.Join(dir, nodefiles.PolicyJSON)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, got, 0o644)); err != nil {
			t.Fatal(err)
		}
		if d := comparePolicies(path, want); d != "" {
			t.Errorf("set of seed %d: %+v\n%s", *seed+uint64(i), s, d)
		}
		rejects := reflect.DeepEqual(want.Default, signature.PolicyRequirements{signature.NewPRReject()})
		_, named := want.Transports["docker"][imageref.MustParse(s.payload).Name()]
		seen.addIf("rendered, an allowed one", len(s.allowed) > 0)
		seen.addIf("rendered, an allowed one with a policy", len(s.allowed) > 0 && len(s.policies) > 0)
		seen.addIf("rendered, a blocked one", len(s.blocked) > 0)
		seen.addIf("rendered, the release is exempt", len(s.blocked) > 0 && named)
		seen.addIf("rendered, only the release may run", len(s.allowed) == 0 && rejects)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		sysregistriesv2.InvalidateCache()
		if t.Failed() && i > 200 {
			break
		}
	}
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%7d %s", seen[what], what)
	}
	for _, want := range []string{
		"nothing is rendered", "rendered, an allowed one", "rendered, an allowed one with a policy", "rendered, a blocked one",
		"rendered, the release is exempt", "rendered, only the release may run",
	} {
		if seen[want] == 0 && *sets >= 300 {
			t.Errorf("no set with: %s", want)
		}
	}
}

func (g generator) admissionSet(keys *keys) *admissionSet {
	name := g.pick(pullHosts) + "/" + g.pick(sigPaths)
	s := &admissionSet{payload: name + "@sha256:" + fmt.Sprintf("%064x", g.Uint64())}
	around := append(scopesAround(name), name, name, "localhost:5000/other")
	scopes := func(percent int) (out []string) {
		for g.chance(percent) {
			if scope := g.pick(around); !slices.Contains(out, scope) {
				out = append(out, scope)
			}
		}
		return out
	}
	if g.chance(60) {
		if s.blocked = scopes(70); g.chance(15) {
			s.blocked = []string{name}
		}
	}
	if g.chance(45) {
		s.allowed = scopes(70)
		if g.chance(5) {
			s.allowed = append(s.allowed, g.pick([]string{"*.com/a", "*", "a.*.com", "*.com:443"}))
		}
	}
	for g.chance(50) {
		m := configv1.ImageDigestMirrors{Source: g.pick([]string{name, "quay.io", "registry.example.com"})}
		for range 1 + g.IntN(2) {
			m.Mirrors = append(m.Mirrors, configv1.ImageMirror(g.pick(append(mirrorHosts, "quay.io"))+"/m/n"))
		}
		s.mirrors = append(s.mirrors, m)
	}
	for g.chance(35) {
		p := g.imagePolicy(name, name+":1", keys)
		p.scopes = []string{g.pick([]string{name, name, name + "/below", "localhost:5000/other/image", "mirror-a.corp/x"})}
		s.policies = append(s.policies, p)
	}
	return s
}

// peers is the rule of the machine-config operator (getValidBlockedAndAllowedRegistries,
// updatePolicyJSON), with the libraries that it uses.
func (s *admissionSet) peers(t *testing.T, dir string) (*signature.Policy, error) {
	t.Helper()
	named, err := reference.ParseNamed(s.payload)
	if err != nil {
		t.Fatal(err)
	}
	payload := named.Name()
	blocked, allowed := []string{}, []string{}
	for _, scope := range s.blocked {
		if registries.ScopeIsNestedInsideScope(payload, scope) {
			if !s.hasMirror(t, dir, named) {
				continue
			}
			allowed = append(allowed, payload)
			if scope == payload {
				continue
			}
		}
		blocked = append(blocked, scope)
	}
	allowed = append(allowed, s.allowed...)
	if len(allowed) > 0 && len(blocked) > 0 && !slices.Equal(allowed, []string{payload}) {
		return nil, errors.New("allowed and blocked ones")
	}
	anything, reject := signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}, signature.PolicyRequirements{signature.NewPRReject()}
	docker := make(signature.PolicyTransportScopes)
	for _, p := range s.policies {
		r, err := p.constructed()
		if err != nil {
			t.Fatal(err)
		}
		for _, scope := range p.scopes {
			within := func(of string) bool { return registries.ScopeIsNestedInsideScope(scope, of) }
			if slices.ContainsFunc(blocked, within) || len(allowed) > 0 && !slices.ContainsFunc(allowed, within) {
				return nil, fmt.Errorf("the scope %s", scope)
			}
			docker[scope] = append(docker[scope], r)
		}
	}
	for _, scope := range append(slices.Clone(allowed), blocked...) {
		if !registries.IsValidRegistriesConfScope(scope) {
			return nil, fmt.Errorf("no scope: %q", scope)
		}
	}
	out := &signature.Policy{Default: anything, Transports: map[string]signature.PolicyTransportScopes{"docker-daemon": {"": anything}}}
	if len(allowed) > 0 && len(blocked) == 0 {
		out.Default = reject
	}
	for _, scope := range allowed {
		if docker[scope] == nil {
			docker[scope] = anything
		}
	}
	for _, scope := range blocked {
		docker[scope] = reject
	}
	if len(docker) > 0 {
		out.Transports["docker"], out.Transports["atomic"] = docker, shortScopes(docker)
	}
	return out, nil
}

// hasMirror reports whether something that is not blocked serves the release.
func (s *admissionSet) hasMirror(t *testing.T, dir string, payload reference.Named) bool {
	t.Helper()
	var conf sr536.V2RegistriesConf
	idms := &configv1.ImageDigestMirrorSet{}
	idms.Spec.ImageDigestMirrors = s.mirrors
	if err := registries.EditRegistriesConfig(&conf, nil, s.blocked, nil, []*configv1.ImageDigestMirrorSet{idms}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "edited.conf")
	text, err := toml.Marshal(conf)
	if err := errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(path, text, 0o644)); err != nil {
		t.Fatal(err)
	}
	found, err := sysregistriesv2.FindRegistry(system(path, filepath.Join(dir, "none")), payload.Name())
	if err != nil {
		t.Fatal(err)
	}
	sources, err := found.PullSourcesFromReference(payload)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(sources, func(p sysregistriesv2.PullSource) bool {
		return !slices.ContainsFunc(s.blocked, func(scope string) bool {
			return registries.ScopeIsNestedInsideScope(p.Reference.Name(), scope)
		})
	})
}

// ours is the policy.json that we render.
func (s *admissionSet) ours(t *testing.T) ([]byte, error) {
	t.Helper()
	scopes := func(names []string) (out []policy.Scope) {
		for _, n := range names {
			out = append(out, policy.Scope{Name: n, Origin: "image/cluster"})
		}
		return out
	}
	stated := policy.Policy{
		Blocked: scopes(s.blocked), Allowed: scopes(s.allowed), Payloads: []policy.Payload{{Image: imageref.MustParse(s.payload)}},
	}
	for _, m := range s.mirrors {
		r := policy.Rule{Source: m.Source}
		for _, at := range m.Mirrors {
			r.Mirrors = append(r.Mirrors, policy.Mirror{Location: string(at)})
		}
		stated.Rules = append(stated.Rules, r)
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, stated)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	var all []sigstore.ImagePolicy
	for _, p := range s.policies {
		all = append(all, p.read(t))
	}
	files, err := nodefiles.Render(rules, []policy.Policy{stated}, all...)
	for _, f := range files {
		if f.Name == nodefiles.PolicyJSON {
			return f.Data, nil
		}
	}
	return nil, err
}

// comparePolicies reads our policy.json as nodes do, and says how it differs from want.
func comparePolicies(path string, want *signature.Policy) string {
	got, err := signature.NewPolicyFromFile(path)
	if err != nil {
		return fmt.Sprintf("nodes do not load our policy.json: %v", err)
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		return fmt.Sprintf("policy.json\nnodes: %s\nours:  %s %v", b, a, err)
	}
	return ""
}

// shortScopes returns the scopes that the transport "atomic" can have.
func shortScopes(docker signature.PolicyTransportScopes) signature.PolicyTransportScopes {
	out := make(signature.PolicyTransportScopes)
	for s, r := range docker {
		if strings.Count(s, "/") < 3 {
			out[s] = r
		}
	}
	return out
}
