package knownissues

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// OCPBUGS-34540 and D25. Overrides were written into the release that the cache held,
// for whoever looked it up next. Here what is held is the same to the byte after any
// number of lookups with any rules; -race says that nobody writes.
func TestOCPBUGS34540CacheIsNotChanged(t *testing.T) {
	w := newWorld(t)
	mirror := w.serve(t, "mirror.example.com", testregistry.Auth{})
	r := release(50)
	digest := mirror.Push("ocp", "", testpayload.Must(r.Image()))
	plain := newRules(t, mirrored(source, "mirror.example.com/ocp"))
	c := operatorChain(t, w.registry, plain)
	cached := mustLookup(t, c, byDigest(source, digest))
	before := text(cached)

	const lookups, differing = 64, 4
	rules := make([]*policy.Rules, differing)
	for i := range rules {
		rules[i] = newRules(t, mirrored(source, "mirror.example.com/ocp"), override("quay.io", fmt.Sprintf("cache-%d.example.com", i)))
	}
	var all sync.WaitGroup
	for i := range lookups {
		all.Go(func() {
			req := byDigest(source, digest)
			req.Rules = rules[i%differing]
			r, err := c.Lookup(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			prefix := fmt.Sprintf("cache-%d.example.com/", i%differing)
			for c := range r.Components() {
				c.Annotations["mine"] = "x" // a copy, or the comparison below fails
				if !strings.HasPrefix(c.Image.String(), prefix) || strings.HasPrefix(c.Canonical.String(), prefix) {
					t.Errorf("%s is %s, canonically %s", c.Name, c.Image, c.Canonical)
				}
			}
		})
	}
	all.Wait()
	if got := text(cached); got != before {
		t.Errorf("the release that was handed out before changed to\n%s\nfrom\n%s", got, before)
	}
	second := mustLookup(t, c, byDigest(source, digest))
	if got := text(second); got != before {
		t.Errorf("the cache answers\n%s\nand answered\n%s", got, before)
	}
	if n := mirror.Count(blobs); n != 1 {
		t.Errorf("%d layers were fetched, so that not all of it was from memory", n)
	}
}

// OCPBUGS-41365, 86415. Images for the data plane (kube-rbac-proxy, the HAProxy of a
// node) came with the overrides of the management cluster. Here a component has both
// references; mirrors are in neither; the release that the control-plane-operator
// gives to the data plane has the canonical ones alone; and what the ignition server
// writes for nodes has the replacements of --registry-overrides.
func TestOCPBUGS41365CanonicalAndOverridden(t *testing.T) {
	w := newWorld(t)
	r := release(50)
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("ocp", "", testpayload.Must(r.Image()))
	content := "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	rules := newRules(t,
		mirrored(source, "mirror.example.com/ocp"), mirrored(content, "mirror.example.com/content"),
		override("quay.io/openshift-release-dev", "cache.example.com/ocp"))
	all := binaries(t, w.registry, rules)
	for binary, overridden := range map[string]bool{
		"hypershift-operator": true, "control-plane-operator of control plane": true, "control-plane-operator of hosted nodes": false,
		"ignition-server": true, // nodes are to pull from there: see payload.TestRewrite
	} {
		release := mustLookup(t, all[binary], byDigest(source, digest))
		for _, name := range []string{"kube-rbac-proxy", "haproxy-router"} {
			component, ok := release.Component(name)
			canonical := content + "@" + r.ComponentDigest(name)
			want := canonical
			if overridden {
				want = "cache.example.com/ocp/ocp-v4.0-art-dev@" + r.ComponentDigest(name)
			}
			if !ok || component.Canonical.String() != canonical || component.Image.String() != want {
				t.Errorf("%s: %s is %s, canonically %s; want %s and %s", binary, name, component.Image, component.Canonical, want, canonical)
			}
		}
	}
}

// OCPBUGS-74247, 1924 and D15. Images of the cluster API providers were read past the
// code that knows overrides, others went through it twice. Here every component of a
// release goes through one rewriter, once.
func TestOCPBUGS74247EveryComponentIsRewrittenOnce(t *testing.T) {
	w := newWorld(t)
	r := release(190)
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("ocp", "", testpayload.Must(r.Image()))
	// The target matches the source again, which twice would show.
	rules := newRules(t, mirrored(source, "mirror.example.com/ocp"), override("quay.io/openshift-release-dev", "quay.io/openshift-release-dev/again"))
	all := binaries(t, w.registry, rules)
	delete(all, "control-plane-operator of hosted nodes") // nothing is rewritten for them
	for binary, c := range all {
		n := 0
		for component := range mustLookup(t, c, byDigest(source, digest)).Components() {
			n++
			want := "quay.io/openshift-release-dev/again/ocp-v4.0-art-dev@" + r.ComponentDigest(component.Name)
			if got := component.Image.String(); got != want {
				t.Errorf("%s: %s is %s, want %s", binary, component.Name, got, want)
			}
		}
		if n != 190 {
			t.Errorf("%s: %d components", binary, n)
		}
		if !slices.Contains(r.ComponentNames(), "aws-cluster-api-controllers") {
			t.Error("no cluster API provider is among the components")
		}
	}
}

// OCPBUGS-53265 and D22, D30. Releases by tag went past the caches, then were cached
// for whoever asked next and for 12 hours. Here a tag is remembered, for a short time
// (see chain.TestCacheExpiry), for the credentials that it was read with.
func TestOCPBUGS53265TagsAreCachedPerCredential(t *testing.T) {
	w := newWorld(t)
	mirror := w.serve(t, "quay.io", testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "a", Password: "s3cret"}, {Name: "b", Password: "s3cret"}}})
	mirror.Push("openshift-release-dev/ocp-release", "4.17.3", testpayload.Must(release(5).Image()))
	request := func(user, password string) provider.Request {
		return provider.Request{
			Image:       imageref.MustParse(source + ":4.17.3"),
			Credentials: credentials(t, map[string]provider.Credential{"quay.io": provider.NewCredential(user, password)}),
		}
	}
	for _, binary := range []string{"hypershift-operator", "control-plane-operator of hosted nodes", "control-plane-operator of control plane"} {
		c := binaries(t, w.client(t), newRules(t))[binary]
		mirror.ResetLog()
		for range 10 {
			mustLookup(t, c, request("a", "s3cret"))
		}
		if n := mirror.Count(); n != 2 {
			t.Errorf("%s: %d requests for ten lookups of a tag, want those of one", binary, n)
		}
		if _, err := c.Lookup(t.Context(), request("b", "wrong")); provider.ClassOf(err) != provider.ClassUnauthorized {
			t.Errorf("%s: without the right to read it: %v", binary, err)
		}
		mustLookup(t, c, request("b", "s3cret"))
		if n := mirror.Count(blobs); n != 1 {
			t.Errorf("%s: %d layers were fetched for one release", binary, n)
		}
	}
}

// D21. A second ping could throw a good result away, and a cache hit went to the
// network all the same. Here the fetch is the check: a lookup is the requests for
// manifest and layer and no other, and one that is cached asks nobody.
func TestD21NoPingsAndNoNetworkForAHit(t *testing.T) {
	w := newWorld(t)
	mirror := w.serve(t, "mirror.example.com", testregistry.Auth{})
	digest := mirror.Push("ocp", "", testpayload.Must(release(5).Image()))
	c := operatorChain(t, w.registry, newRules(t, mirrored(source, "mirror.example.com/ocp")))
	mustLookup(t, c, byDigest(source, digest))
	if mirror.Count() != 2 || mirror.Count(manifests) != 1 || mirror.Count(blobs) != 1 {
		t.Errorf("requests %v, want a manifest and a layer", mirror.Requests())
	}
	mirror.Down()
	before := w.dials("mirror.example.com") + w.dials("quay.io")
	for range 10 {
		if r := mustLookup(t, c, byDigest(source, digest)); r.Stale() {
			t.Error("what is known by digest is called stale")
		}
	}
	if n := w.dials("mirror.example.com") + w.dials("quay.io") - before; n != 0 {
		t.Errorf("%d connections for a release that is cached", n)
	}
}

// D16, D17, D18. Which mirror had served was a field of the provider, so that it was
// that of somebody else's lookup, and it went into the configuration of nodes. Here
// it is part of each result.
func TestD16WhoServedIsInTheResult(t *testing.T) {
	w := newWorld(t)
	a, b := testpayload.Must(release(5).Image()), testpayload.Must(release(6).Image())
	da := w.serve(t, "one.example.com", testregistry.Auth{}).Push("ocp", "", a)
	db := w.serve(t, "two.example.com", testregistry.Auth{}).Push("ocp", "", b)
	c := operatorChain(t, w.registry, newRules(t, mirrored(source, "one.example.com/ocp", "two.example.com/ocp")))
	var all sync.WaitGroup
	for i := range 40 {
		digest, want := da, "one.example.com/ocp@"+da
		if i%2 == 1 {
			digest, want = db, "two.example.com/ocp@"+db
		}
		all.Go(func() {
			r, err := c.Lookup(t.Context(), byDigest(source, digest))
			if err != nil {
				t.Error(err)
				return
			}
			if got := r.PulledFrom().String(); got != want || r.Image().String() != source+"@"+digest {
				t.Errorf("%s is from %s, want %s", r.Image(), got, want)
			}
			for c := range r.Components() {
				if strings.Contains(c.Image.String(), "example.com") || strings.Contains(c.Canonical.String(), "example.com") {
					t.Errorf("a mirror is in component %s: %s", c.Name, c.Image)
				}
			}
		})
	}
	all.Wait()
}

// D26. Rules were replaced while lookups read them. Here a lookup that has begun ends
// with the rules that it began with.
func TestD26RulesChangeDuringALookup(t *testing.T) {
	w := newWorld(t)
	payload := testpayload.Must(release(5).Image())
	one, two := w.serve(t, "one.example.com", testregistry.Auth{}), w.serve(t, "two.example.com", testregistry.Auth{})
	digest := one.Push("ocp", "", payload)
	two.Push("ocp", "", payload)
	sets := []*policy.Rules{
		newRules(t, mirrored(source, "one.example.com/ocp"), override("quay.io", "one.example.com/c")),
		newRules(t, mirrored(source, "two.example.com/ocp"), override("quay.io", "two.example.com/c")),
	}
	var mu sync.Mutex
	n := 0
	c, err := chain.New(w.registry, func() *policy.Rules { // other rules each time anybody asks
		mu.Lock()
		defer mu.Unlock()
		n++
		return sets[n%2]
	}, assembly.Mirrorchain(assembly.Deps{}).Layers...)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		r := mustLookup(t, c, byDigest(source, digest))
		host := r.PulledFrom().Registry()
		for c := range r.Components() {
			if c.Image.Registry() != host {
				t.Fatalf("pulled by the rules of %s, translated by those of %s", host, c.Image.Registry())
			}
		}
	}
	if one.Count() == 0 || two.Count() == 0 {
		t.Error("the rules did not change")
	}
}
