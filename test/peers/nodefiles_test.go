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

	"github.com/opencontainers/go-digest"
	"github.com/openshift/runtime-utils/pkg/registries"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/signature"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// TestNodeFiles renders the files of a node for random policies and random image policies.
// Nodes must ask the same endpoints by our registries.conf as by theirs, policy.json must
// require the same, and registries.d must name the places that the rule of the
// machine-config operator names.
func TestNodeFiles(t *testing.T) {
	root, keys := t.TempDir(), newKeys(t)
	seen := coverage{}
	for i := range *sets {
		g := newGenerator(*seed + uint64(i))
		s := g.set()
		dir := filepath.Join(root, fmt.Sprint(i))
		for _, d := range compareFiles(t, g, dir, s, keys, seen) {
			t.Errorf("set of seed %d: %s\n%s", *seed+uint64(i), d, describe(dir, s))
		}
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
	for _, want := range []string{"rendered", "a scope in a blocked one", "a mirror that makes no reference", "images asked about", "more places than scopes"} {
		if seen[want] == 0 && *sets >= 300 {
			t.Errorf("no set with: %s", want)
		}
	}
}

func compareFiles(t *testing.T, g generator, dir string, s *policySet, keys *keys, seen coverage) (differences []string) {
	n, nodeErr := newNode(t, dir, s)
	writeObjects(t, dir, s)
	policies, err := read(t, dir, s)
	if nodeErr != nil || err != nil {
		return nil // TestPeers compares the refusals
	}
	rules, err := newRules(s, policies)
	if err != nil {
		return nil
	}
	own, all := g.imagePolicies(t, s, keys)
	blocked := rules.Blocked() // TestPeers compares these
	var scopes []string
	for _, p := range own {
		scopes = append(scopes, p.scopes...)
	}
	inBlocked := slices.ContainsFunc(scopes, func(scope string) bool {
		return slices.ContainsFunc(blocked, func(b policy.Scope) bool { return registries.ScopeIsNestedInsideScope(scope, b.Name) })
	})
	places, placesErr := attachmentPlaces(t, n.sys.SystemRegistriesConfPath, filepath.Join(dir, "none"), scopes)
	files, err := nodefiles.Render(rules, policies, all...)
	if inBlocked || placesErr != nil && len(s.dropIns) == 0 {
		seen.addIf("a scope in a blocked one", inBlocked)
		seen.addIf("a mirror that makes no reference", placesErr != nil)
		if err == nil {
			differences = append(differences, fmt.Sprintf("rendered, though nodes say blocked %v, %v", inBlocked, placesErr))
		}
		return differences
	}
	if err != nil {
		if len(s.dropIns) > 0 {
			return nil // which the machine-config operator does not know of
		}
		return append(differences, fmt.Sprintf("not rendered: %v", err))
	}
	seen.add("rendered")
	for _, f := range files {
		path := filepath.Join(dir, "rendered", f.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "rendered", nodefiles.RegistriesConf)
	differences = append(differences, compareConf(t, n, conf, s, seen)...)

	// The machine-config operator does not know of drop-ins. Ours are asked about too.
	if len(s.dropIns) > 0 {
		if places, err = attachmentPlaces(t, conf, conf+".d", scopes); err != nil {
			return append(differences, fmt.Sprintf("places for %q: %v", scopes, err))
		}
	}
	if got := placesIn(t, filepath.Join(dir, "rendered", nodefiles.SigstoreRegistries)); !maps.Equal(got, places) {
		differences = append(differences, fmt.Sprintf("places of signatures for %q\nnodes: %q\nours:  %q", scopes, slices.Sorted(maps.Keys(places)), slices.Sorted(maps.Keys(got))))
	}
	seen.addIf("more places than scopes", len(places) > len(scopes))
	return append(differences, comparePolicyJSON(filepath.Join(dir, "rendered", nodefiles.PolicyJSON), blocked, own)...)
}

func compareConf(t *testing.T, n *node, conf string, s *policySet, seen coverage) (differences []string) {
	ours, err := withDropIns(conf, filepath.Join(filepath.Dir(conf), "registries.conf.d"), nil)
	if err != nil {
		return []string{fmt.Sprintf("nodes do not load our registries.conf: %v", err)}
	}
	for _, image := range s.images {
		ref, err := normalize(image)
		if err != nil {
			continue
		}
		want, err := n.ask(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ours.ask(ref)
		if err != nil || !reflect.DeepEqual(got, want) {
			differences = append(differences, fmt.Sprintf("%s\ntheir file: %+v\nour file:   %+v, %v", image, want, got, err))
		}
		seen.add("images asked about")
	}
	return differences
}

// attachmentPlaces applies the rule by which the machine-config operator names the places whose
// signatures nodes read: the scopes, what registries.conf says that they are pulled from,
// and the same of every table that is nested in one.
func attachmentPlaces(t *testing.T, conf, dropIns string, scopes []string) (map[string]bool, error) {
	t.Helper()
	sys := system(conf, dropIns)
	tables, err := sysregistriesv2.GetRegistries(sys)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]bool)
	for _, scope := range scopes {
		out[scope] = true
		about := []string{scope}
		for _, table := range tables {
			if table.Prefix != scope && registries.ScopeIsNestedInsideScope(table.Prefix, scope) {
				about = append(about, table.Prefix)
			}
		}
		for _, a := range about {
			found, err := sysregistriesv2.FindRegistry(sys, a)
			if err != nil {
				t.Fatal(err)
			}
			if found == nil {
				continue
			}
			if err := addPullSources(out, found, a); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func addPullSources(out map[string]bool, found *sysregistriesv2.Registry, scope string) error {
	name := strings.Replace(scope, "*.", "matched.", 1)
	below := ""
	if !strings.Contains(name, "/") {
		below = "/a"
	}
	parsed, err := reference.Parse(name + below)
	if err != nil {
		return err
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		return fmt.Errorf("%s is no name", name)
	}
	named = reference.TrimNamed(named)
	byDigest, err := reference.WithDigest(named, digest.FromString(""))
	if err != nil {
		return err
	}
	byTag, err := reference.WithTag(named, "aaa")
	if err != nil {
		return err
	}
	for _, ref := range []reference.Named{byDigest, byTag} {
		sources, err := found.PullSourcesFromReference(ref)
		if err != nil {
			return err
		}
		for _, s := range sources {
			if s.Endpoint.Location != "" {
				out[strings.TrimSuffix(s.Reference.Name(), below)] = true
			}
		}
	}
	return nil
}

func placesIn(t *testing.T, path string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Docker map[string]struct {
			Attachments bool `json:"use-sigstore-attachments"`
		} `json:"docker"`
	}
	if err := yaml.UnmarshalStrict(data, &doc); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	out := make(map[string]bool)
	for name, d := range doc.Docker {
		out[name] = d.Attachments
	}
	return out
}

// comparePolicyJSON reads our policy.json as nodes do, and compares it with what the
// machine-config operator makes of the same policies by the constructors of nodes' code.
func comparePolicyJSON(path string, blocked []policy.Scope, own []imagePolicy) []string {
	docker := make(signature.PolicyTransportScopes)
	for _, b := range blocked {
		docker[b.Name] = signature.PolicyRequirements{signature.NewPRReject()}
	}
	for _, p := range own {
		r, err := p.constructed()
		if err != nil {
			return []string{err.Error()}
		}
		for _, s := range p.scopes {
			docker[s] = append(docker[s], r)
		}
	}
	anything := signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}
	want := &signature.Policy{Default: anything, Transports: map[string]signature.PolicyTransportScopes{
		"docker-daemon": {"": anything}, "docker": docker, "atomic": shortScopes(docker),
	}}
	if d := comparePolicies(path, want); d != "" {
		return []string{d}
	}
	return nil
}

func (p imagePolicy) constructed() (signature.PolicyRequirement, error) {
	var match signature.PolicyReferenceMatch
	var err error
	switch p.id.match {
	case "", "MatchRepoDigestOrExact":
		match = signature.NewPRMMatchRepoDigestOrExact()
	case "MatchRepository":
		match = signature.NewPRMMatchRepository()
	case "ExactRepository":
		match, err = signature.NewPRMExactRepository(p.id.repository)
	case "RemapIdentity":
		match, err = signature.NewPRMRemapIdentity(p.id.prefix, p.id.signedPrefix)
	}
	if err != nil {
		return nil, err
	}
	options := []signature.PRSigstoreSignedOption{signature.PRSigstoreSignedWithSignedIdentity(match)}
	if p.key.authority != "" {
		k, err := signature.NewPRSigstoreSignedPKI(signature.PRSigstoreSignedPKIWithCARootsData([]byte(p.key.authority)), signature.PRSigstoreSignedPKIWithSubjectEmail(p.key.email))
		if err != nil {
			return nil, err
		}
		options = append(options, signature.PRSigstoreSignedWithPKI(k))
	} else {
		options = append(options, signature.PRSigstoreSignedWithKeyData([]byte(p.key.public)))
		if p.logged {
			options = append(options, signature.PRSigstoreSignedWithRekorPublicKeyData([]byte(p.log.public)))
		}
	}
	return signature.NewPRSigstoreSigned(options...)
}

// imagePolicies makes policies about what s states, for the peers and for us.
func (g generator) imagePolicies(t *testing.T, s *policySet, keys *keys) (own []imagePolicy, all []sigstore.ImagePolicy) {
	t.Helper()
	var names []string
	for _, name := range append(s.stated(), g.pick(hosts)+g.path(3), g.pick(wildcards)) {
		host, _, _ := strings.Cut(name, "/")
		if !slices.Contains(odd, name) && !slices.Contains(fatal, name) && (strings.ContainsAny(host, ".:") || host == "localhost") && !strings.HasSuffix(name, "/") {
			names = append(names, name)
		}
	}
	for range 1 + g.IntN(2) {
		name := g.pick(names)
		if g.chance(20) && strings.Contains(name, "/") {
			name = name[:strings.LastIndexByte(name, '/')]
		}
		if g.chance(15) && strings.Contains(name, "/") && !strings.Contains(name, "@") {
			name += g.pick([]string{":t", "@sha256:" + strings.Repeat("ab", 32)})
		}
		p := g.imagePolicy("quay.io/a/b", "quay.io/a/b:t", keys)
		p.scopes = []string{name}
		own = append(own, p)
		all = append(all, p.read(t))
	}
	return own, all
}

// read returns the policy as this project reads it.
func (p imagePolicy) read(t *testing.T) (o sigstore.ImagePolicy) {
	t.Helper()
	text, err := json.Marshal(p.object())
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}
