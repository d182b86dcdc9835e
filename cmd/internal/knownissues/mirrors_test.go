package knownissues

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// OCPBUGS-53050, 54720, 57141 to 57143. Of several mirrors only the first was ever
// used. Here each candidate is asked in turn, for releases and for images, and what
// became of those before is in the result.
func TestOCPBUGS53050SecondMirrorServes(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*testregistry.Registry)
		class  string
	}{
		"dead": {func(r *testregistry.Registry) { r.Down() }, "unreachable"},
		"404":  {func(r *testregistry.Registry) { r.Fail(manifests, testregistry.Status(404)) }, "not-found"},
		"401":  {func(r *testregistry.Registry) { r.Fail(manifests, testregistry.Status(401)) }, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			payload := testpayload.Must(release(5).Image())
			first, second := w.serve(t, "one.example.com", testregistry.Auth{}), w.serve(t, "two.example.com", testregistry.Auth{})
			first.Push("ocp", "", payload)
			digest := second.Push("ocp", "", payload)
			c.breaks(first)
			rules := newRules(t, mirrored(source, "one.example.com/ocp", "two.example.com/ocp"))
			for binary, chain := range binaries(t, w.registry, rules) {
				r := mustLookup(t, chain, byDigest(source, digest))
				if got, want := tried(r), "one.example.com/ocp "+c.class+", two.example.com/ocp"; got != want {
					t.Errorf("%s tried %s; want %s", binary, got, want)
				}
			}
			image, err := images(t, w.registry, rules).Image(t.Context(), byDigest(source, digest))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := image.PulledFrom().String(), "two.example.com/ocp@"+digest; got != want {
				t.Errorf("the image is from %s, want %s", got, want)
			}
			if n := w.dials("quay.io"); n != 0 {
				t.Errorf("%d connections to the source, which nobody needed", n)
			}
		})
	}
}

// OCPBUGS-29494, 34734. Labels of the control-plane-operator's image were read
// without the overrides, and so never where the source is out of reach. Here one
// resolver serves releases and images.
func TestOCPBUGS29494LabelsThroughTheMirror(t *testing.T) {
	w := newWorld(t)
	mirror := w.serve(t, "mirror.example.com:5000", testregistry.Auth{})
	r := release(5)
	r.Labels = map[string]string{"io.openshift.hypershift.control-plane-operator-subcommands": "true"}
	digest := mirror.Push("mirrored/cpo", "", testpayload.Must(r.Image()))
	const repository = "quay.io/hypershift/control-plane-operator"
	image, err := images(t, w.registry, newRules(t, mirrored(repository, "mirror.example.com:5000/mirrored/cpo"))).Image(t.Context(), byDigest(repository, digest))
	if err != nil {
		t.Fatal(err)
	}
	data, err := image.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Config struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for name, want := range r.Labels {
		if got := config.Config.Labels[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	if n := w.dials("quay.io"); n != 0 {
		t.Errorf("%d connections to the source", n)
	}
}

// OCPBUGS-48152, 48117. A mirror whose repository has another name lost the digest,
// or was asked for the source's name. Here the part that matched is replaced, and
// what was asked for by digest is asked for by that digest everywhere.
func TestOCPBUGS48152RenamedRepositoryKeepsDigest(t *testing.T) {
	w := newWorld(t)
	mirror := w.serve(t, "mirror.example.com", testregistry.Auth{})
	digest := mirror.Push("renamed/by-the/admin", "", testpayload.Must(release(5).Image()))
	rules := newRules(t, mirrored(source, "mirror.example.com/renamed/by-the/admin"))
	for binary, chain := range binaries(t, w.registry, rules) {
		for _, image := range []string{source + "@" + digest, source + ":4.17.3@" + digest} {
			mirror.ResetLog()
			r := mustLookup(t, chain, provider.Request{Image: imageref.MustParse(image)})
			if got, want := r.PulledFrom().String(), "mirror.example.com/renamed/by-the/admin@"+digest; got != want || r.Digest() != digest {
				t.Errorf("%s: %s is from %s with digest %s, want %s", binary, image, got, r.Digest(), want)
			}
			for _, q := range mirror.Requests(manifests) {
				if q.Repository != "renamed/by-the/admin" || q.Reference != digest {
					t.Errorf("%s: for %s the mirror was asked for %s %s", binary, image, q.Repository, q.Reference)
				}
			}
		}
	}
}

// OCPBUGS-83564. On AKS, which has no mirror policies, releases were looked up
// without --registry-overrides. Here they are candidates like any other, in every
// binary, and the address they replace is not contacted.
func TestOCPBUGS83564OnlyRegistryOverrides(t *testing.T) {
	w := newWorld(t)
	digest := w.serve(t, "cache.example.com", testregistry.Auth{}).Push("quay/openshift-release-dev/ocp-release", "4.17.3", testpayload.Must(release(5).Image()))
	rules := newRules(t, override("quay.io", "cache.example.com/quay"))
	for binary, chain := range binaries(t, w.registry, rules) {
		for _, image := range []string{source + "@" + digest, source + ":4.17.3"} {
			r := mustLookup(t, chain, provider.Request{Image: imageref.MustParse(image)})
			if got, want := tried(r), "cache.example.com/quay/openshift-release-dev/ocp-release"; got != want {
				t.Errorf("%s tried %s for %s; want %s", binary, got, image, want)
			}
		}
	}
	if n := w.dials("quay.io"); n != 0 {
		t.Errorf("%d connections to the address that is overridden", n)
	}
}

// OCPBUGS-44655. Whether a release is of several architectures was found out past
// the code that knows mirrors. Here the platform is chosen from the index where it
// is served, and only that child is fetched.
func TestOCPBUGS44655MultiArchThroughTheMirror(t *testing.T) {
	w := newWorld(t)
	arm := release(5)
	arm.Platform = provider.Platform{OS: "linux", Architecture: "arm64"}
	child := testpayload.Must(arm.Image())
	mirror := w.serve(t, "mirror.example.com", testregistry.Auth{})
	digest := mirror.Push("ocp", "", testpayload.Index(false, testpayload.Must(release(5).Image()), child))
	c := operatorChain(t, w.registry, newRules(t, mirrored(source, "mirror.example.com/ocp")))
	req := byDigest(source, digest)
	req.Platform = arm.Platform
	r := mustLookup(t, c, req)
	if r.Digest() != child.Digest || r.Platform() != arm.Platform {
		t.Errorf("got %s of %s, want the child %s of %s", r.Digest(), r.Platform(), child.Digest, arm.Platform)
	}
	if n := mirror.Count(manifests); n != 2 {
		t.Errorf("%d requests for manifests, want those of the index and of one child", n)
	}
	if n := w.dials("quay.io"); n != 0 {
		t.Errorf("%d connections to the source", n)
	}
}

// OCPBUGS-56492. An image that one may not read was taken for one that is not
// there. Here they are different classes, to programs and to people.
func TestOCPBUGS56492UnauthorizedIsNotAbsent(t *testing.T) {
	w := newWorld(t)
	closed := w.serve(t, "quay.io", testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "u", Password: "s3cret"}}})
	digest := closed.Push("openshift-release-dev/ocp-release", "", testpayload.Must(release(5).Image()))
	absent, refused := "sha256:"+strings.Repeat("0", 64), "sha256:"+strings.Repeat("1", 64)
	closed.Fail(testregistry.Match{Kind: testregistry.Manifest, Reference: refused}, testregistry.Status(403))
	rules := newRules(t)
	for name, c := range map[string]struct {
		digest, password string
		want, not        error
		class, says      string
	}{
		"unauthorized": {digest, "wrong", provider.ErrUnauthorized, provider.ErrNotFound, "unauthorized", "401"},
		"absent":       {absent, "s3cret", provider.ErrNotFound, provider.ErrUnauthorized, "not-found", "404"},
		"may not":      {refused, "s3cret", provider.ErrUnauthorized, provider.ErrNotFound, "unauthorized", "403"},
	} {
		req := byDigest(source, c.digest)
		req.Credentials = credentials(t, map[string]provider.Credential{"quay.io": provider.NewCredential("u", c.password)})
		_, imageErr := images(t, w.registry, rules).Image(t.Context(), req)
		errs := map[string]error{"an image": imageErr}
		for binary, chain := range binaries(t, w.registry, rules) {
			_, errs[binary] = chain.Lookup(t.Context(), req)
		}
		for of, err := range errs {
			if !errors.Is(err, c.want) || errors.Is(err, c.not) || provider.ClassOf(err).String() != c.class || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v, class %s", name, of, err, provider.ClassOf(err))
			}
			if strings.Contains(err.Error(), c.password) {
				t.Errorf("%s, %s: the password is in the error: %v", name, of, err)
			}
		}
	}
}

// Issue 6205. Mirrors of the management cluster are used for every hosted cluster,
// also for one whose pull secret has nothing for them, and that failed. Here the 401
// leads to the next candidate and is in the result, or in the error if that is
// forbidden.
func TestIssue6205MirrorRefusesThePullSecret(t *testing.T) {
	w := newWorld(t)
	payload := testpayload.Must(release(5).Image())
	w.serve(t, "mirror.example.com", testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{{Name: "management", Password: "s3cret"}}}).Push("ocp", "", payload)
	quay := w.serve(t, "quay.io", testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "hosted", Password: "other"}}})
	digest := quay.Push("openshift-release-dev/ocp-release", "", payload)
	req := byDigest(source, digest)
	req.Credentials = credentials(t, map[string]provider.Credential{"quay.io": provider.NewCredential("hosted", "other")})

	rule := mirrored(source, "mirror.example.com/ocp")
	for binary, chain := range binaries(t, w.registry, newRules(t, rule)) {
		r := mustLookup(t, chain, req)
		if got, want := tried(r), "mirror.example.com/ocp unauthorized, "+source; got != want {
			t.Errorf("%s tried %s; want %s", binary, got, want)
		}
	}
	quay.ResetLog()
	rule.NeverContactSource = true
	for binary, c := range binaries(t, w.client(t), newRules(t, rule)) {
		_, err := c.Lookup(t.Context(), req)
		if !errors.Is(err, provider.ErrUnauthorized) || !errors.Is(err, provider.ErrForbidden) || !strings.Contains(err.Error(), "mirror.example.com") {
			t.Errorf("%s: %v; want what the mirror said, and that the source is forbidden", binary, err)
		}
	}
	if n := quay.Count(); n != 0 {
		t.Errorf("%d requests to a source that is forbidden", n)
	}
}

// OCPBUGS-16221, 18128. Who reads images did not know the private authority of the
// mirror. Here it is configured once for everything that is read, and without it
// the error says what is not trusted.
func TestOCPBUGS16221PrivateAuthority(t *testing.T) {
	w := newWorld(t)
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("ocp", "", testpayload.Must(release(5).Image()))
	rule := mirrored(source, "mirror.example.com/ocp")
	rule.NeverContactSource = true
	rules := newRules(t, rule)
	other, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := registry.New(registry.Config{RootCAs: other.Pool(), Dial: w.dial})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for binary, c := range binaries(t, stranger, rules) {
		if _, err := c.Lookup(t.Context(), byDigest(source, digest)); !errors.Is(err, provider.ErrTLS) || !strings.Contains(err.Error(), "mirror.example.com") {
			t.Errorf("%s without the authority: %v", binary, err)
		}
	}
	for _, c := range binaries(t, w.registry, rules) {
		mustLookup(t, c, byDigest(source, digest))
	}
	image, err := images(t, w.registry, rules).Image(t.Context(), byDigest(source, digest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := image.Files(t.Context(), "release-manifests/image-references"); err != nil {
		t.Error(err)
	}
}

// CNTRLPLANE-2842. The end of each attempt was deferred to the end of the loop over
// all of them. Here an attempt's context has ended before the next one begins.
func TestCNTRLPLANE2842AttemptsEnd(t *testing.T) {
	const mirrors = 50
	var mu sync.Mutex
	var attempts []context.Context
	base := provider.ReleaseFunc(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
		mu.Lock()
		defer mu.Unlock()
		for i, earlier := range attempts {
			if earlier.Err() == nil {
				t.Errorf("attempt %d goes on while attempt %d begins", i, len(attempts))
			}
		}
		attempts = append(attempts, ctx)
		return nil, &provider.Error{Op: "asking", Class: provider.ClassNotFound}
	})
	var locations []string
	for i := range mirrors {
		locations = append(locations, fmt.Sprintf("m%02d.example.com/ocp", i))
	}
	rules := newRules(t, mirrored(source, locations...))
	c, err := chain.New(base, func() *policy.Rules { return rules }, assembly.Mirrorchain(assembly.Deps{}).Layers...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(t.Context(), byDigest(source, "sha256:"+strings.Repeat("0", 64))); !errors.Is(err, provider.ErrNotFound) {
		t.Error(err)
	}
	if len(attempts) != mirrors+1 {
		t.Errorf("%d attempts, want %d", len(attempts), mirrors+1)
	}
}
