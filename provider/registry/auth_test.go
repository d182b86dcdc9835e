package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

const (
	secretPassword = "hunter2-is-no-good/+ \""
	secretIdentity = "identity-token-of-alice"
	secretRegistry = "registry-token-of-alice"
)

var alice = testregistry.User{
	Name: "alice", Password: secretPassword, IdentityToken: secretIdentity, RegistryToken: secretRegistry,
}

func credentials(t testing.TB, key string, c provider.Credential) provider.Credentials {
	t.Helper()
	cs, err := provider.NewCredentials(map[string]provider.Credential{key: c})
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// small returns a release that costs little to build and to read.
func small(t testing.TB) testpayload.Image {
	t.Helper()
	return testpayload.Must(testpayload.Release{Components: 2, Manifests: -1, BaseLayers: []int64{}, BootImages: testpayload.NoBootImages}.Image())
}

// at makes a request for what is at ref with one entry for its registry.
func at(t testing.TB, ref imageref.Ref, c provider.Credential) provider.Request {
	t.Helper()
	req := request(ref)
	if !c.IsZero() {
		req.Credentials = credentials(t, ref.Registry(), c)
	}
	return req
}

// P3: what authentication costs, alone and when the registry is known.
func TestAuthentication(t *testing.T) {
	password := provider.NewCredential("alice", secretPassword)
	for _, tt := range []struct {
		name        string
		auth        testregistry.Auth
		cred        provider.Credential
		first, then int // requests of a lookup, cold and with what was learnt
		other       int // of another repository
	}{
		{"none", testregistry.Auth{}, provider.Credential{}, 2, 2, 2},
		{"none wanted, some had", testregistry.Auth{}, password, 2, 2, 2},
		{"basic", testregistry.Auth{Scheme: testregistry.Basic}, password, 2, 2, 2},
		{"bearer", testregistry.Auth{Scheme: testregistry.Bearer}, password, 4, 2, 3},
		{"bearer elsewhere", testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}, password, 4, 2, 3},
		{"anonymous bearer", testregistry.Auth{Scheme: testregistry.Bearer, Anonymous: []string{"ocp"}}, provider.Credential{}, 4, 2, 3},
		{"identity token", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewIdentityToken(secretIdentity), 4, 2, 3},
		{"registry token", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewRegistryToken(secretRegistry), 2, 2, 2},
	} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/1.1 %v", tt.name, old), func(t *testing.T) {
				tt.auth.Users = []testregistry.User{alice}
				reg := start(t, testregistry.Config{Auth: tt.auth, NoHTTP2: old})
				img := small(t)
				p := open(t, reg)
				for _, step := range []struct {
					repo string
					want int
				}{{"ocp/release", tt.first}, {"ocp/release", tt.then}, {"ocp/other", tt.other}, {"ocp/other", tt.then}} {
					ref := reg.ByDigest(step.repo, reg.Push(step.repo, "", img))
					reg.ResetLog()
					if _, err := p.Lookup(t.Context(), at(t, ref, tt.cred)); err != nil {
						t.Fatal(err)
					}
					if n := reg.Count(); n != step.want {
						t.Errorf("%s: %d requests, want %d: %+v", step.repo, n, step.want, reg.Requests())
					}
				}
				if n := reg.Main().Stats().Handshakes; n != 1 {
					t.Errorf("%d handshakes", n)
				}
			})
		}
	}
}

// P3: however many lookups start at once, one meets the challenge, and one
// request gets each token.
func TestManyAtOnce(t *testing.T) {
	const n = 20
	password := provider.NewCredential("alice", secretPassword)
	for _, tt := range []struct {
		name         string
		auth         testregistry.Auth
		cred         provider.Credential
		repositories int
		requests     int
	}{
		{"basic", testregistry.Auth{Scheme: testregistry.Basic}, password, 1, 2 * n},
		{"bearer, one repository", testregistry.Auth{Scheme: testregistry.Bearer}, password, 1, 2*n + 2},
		{"bearer, a repository each", testregistry.Auth{Scheme: testregistry.Bearer}, password, n, 2*n + 1 + n},
		{"anonymous bearer", testregistry.Auth{Scheme: testregistry.Bearer, Anonymous: []string{"ocp"}}, provider.Credential{}, 1, 2*n + 2},
		{"identity token", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewIdentityToken(secretIdentity), 1, 2*n + 2},
	} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/1.1 %v", tt.name, old), func(t *testing.T) {
				tt.auth.Users = []testregistry.User{alice}
				reg := start(t, testregistry.Config{Auth: tt.auth, NoHTTP2: old})
				img := small(t)
				p := open(t, reg)
				var g errgroup.Group
				for i := range n {
					repo := fmt.Sprintf("ocp/release%d", i%tt.repositories)
					req := at(t, reg.ByDigest(repo, reg.Push(repo, "", img)), tt.cred)
					g.Go(func() error {
						_, err := p.Lookup(t.Context(), req)
						return err
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				if got := reg.Count(); got != tt.requests {
					t.Errorf("%d requests, want %d (%d tokens)", got, tt.requests, reg.Count(tokens))
				}
			})
		}
	}
}

// P6: nobody waits for anybody's answer, neither of manifests nor of layers, with
// one decoder or many.
func TestAllInFlight(t *testing.T) {
	const n = 20
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/1.1 %v", old), func(t *testing.T) {
			reg := start(t, testregistry.Config{NoHTTP2: old})
			p := open(t, reg, func(c *registry.Config) { c.Decoders = 1 })
			m, b := reg.Barrier(n, manifests), reg.Barrier(n, blobs)
			var g errgroup.Group
			for i := range n {
				img := testpayload.Must(testpayload.Release{
					Version: fmt.Sprintf("4.17.%d", i), Components: 2, Manifests: -1, BaseLayers: []int64{}, BootImages: testpayload.NoBootImages,
				}.Image())
				req := request(reg.ByDigest(repo, reg.Push(repo, "", img)))
				g.Go(func() error {
					_, err := p.Lookup(t.Context(), req)
					return err
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatalf("%v (%d manifests and %d layers waiting)", err, m.Waiting(), b.Waiting())
			}
			if got := reg.Count(); got != 2*n {
				t.Errorf("%d requests", got)
			}
		})
	}
}

func TestExpiredTokens(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	p := open(t, reg)
	req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", secretPassword))
	lookup := func(want int) {
		t.Helper()
		reg.ResetLog()
		if _, err := p.Lookup(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if n := reg.Count(); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
	}
	lookup(4)
	lookup(2)
	reg.ExpireTokens() // before their time
	lookup(4)
	lookup(2)

	// A token is not used up to its last moment: this one never is.
	reg.SetAuth(testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}, TokenLifetime: time.Second})
	other := at(t, req.Image, provider.NewIdentityToken(secretIdentity))
	reg.ResetLog()
	if _, err := p.Lookup(t.Context(), other); err != nil {
		t.Fatal(err)
	}
}

// A registry may come to authenticate in another way, or in another place.
func TestAuthenticationChanges(t *testing.T) {
	cred := provider.NewCredential("alice", secretPassword)
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	gone := start(t, testregistry.Config{CA: reg.CA(), PlainHTTP: true})
	gone.Down()
	p := open(t, reg)
	for i, auth := range []testregistry.Auth{
		{Scheme: testregistry.Bearer},
		{Scheme: testregistry.Basic},
		{Scheme: testregistry.Bearer, Realm: reg.URL() + "/token"},
		{Scheme: testregistry.NoAuth},
		{Scheme: testregistry.Bearer, Realm: "https://" + gone.Host() + "/token"}, // cannot work
		{Scheme: testregistry.Bearer},
		{Scheme: testregistry.NoAuth},
	} {
		auth.Users = []testregistry.User{alice}
		reg.SetAuth(auth)
		if strings.Contains(auth.Realm, gone.Host()) {
			p = open(t, reg) // or it goes on with the realm it knows, which works too
		}
		// Another repository, so that no token is left of before.
		name := fmt.Sprintf("ocp/release%d", i)
		_, err := p.Lookup(t.Context(), at(t, reg.ByDigest(name, reg.Push(name, "", small(t))), cred))
		if broken := strings.Contains(auth.Realm, gone.Host()); broken {
			wantError(t, err, provider.ClassUnreachable, "fetching a token from "+gone.Host())
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A token that was declared void is got anew also when the registry has asked for
// something else in between, as a proxy in front of it may: two things that each cost
// nothing must not cost a lookup together.
func TestVoidTokenBehindAnotherChallenge(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	p := open(t, reg)
	req := at(t, reg.ByDigest("ocp/release", reg.Push("ocp/release", "", small(t))), provider.NewCredential("alice", secretPassword))
	lookup := func() error { _, err := p.Lookup(t.Context(), req); return err }
	if err := lookup(); err != nil {
		t.Fatal(err)
	}
	proxy := reg.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Status(401)) // asks for Basic
	if err := lookup(); !errors.Is(err, provider.ErrUnauthorized) {
		t.Fatal(err)
	}
	proxy()
	reg.ExpireTokens()
	reg.ResetLog()
	if err := lookup(); err != nil {
		t.Error(err)
	}
	// Basic, the void token, a new one, and the layer.
	if n, tokens := reg.Count(), reg.Count(testregistry.Match{Kind: testregistry.Token}); n != 5 || tokens != 1 {
		t.Errorf("%d requests, %d for tokens; want 5 and 1", n, tokens)
	}
}

// An identity token is traded by POST; where the realm knows GET only, the
// password is, if there is one.
func TestIdentityToken(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}, NoPost: true}})
	ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
	both, err := provider.ParseCredentials(fmt.Appendf(nil, `{"auths":{%q:{"username":"alice","password":%q,"identitytoken":%q}}}`,
		ref.Registry(), secretPassword, secretIdentity))
	if err != nil {
		t.Fatal(err)
	}
	req := request(ref)
	req.Credentials = both
	if _, err := open(t, reg).Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if n := reg.Count(testregistry.Match{Kind: testregistry.Token, Method: "GET"}); n != 1 {
		t.Errorf("%d GETs for a token", n)
	}
	_, err = open(t, reg).Lookup(t.Context(), at(t, ref, provider.NewIdentityToken(secretIdentity)))
	wantError(t, err, provider.ClassUnauthorized, "fetching a token")
}

// R9 in the part that is the registry's: what is wrong is said.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		auth testregistry.Auth
		cred provider.Credential
		says string
	}{
		{"basic without", testregistry.Auth{Scheme: testregistry.Basic}, provider.Credential{}, "no entry"},
		{"basic wrong", testregistry.Auth{Scheme: testregistry.Basic}, provider.NewCredential("alice", "guess"), "refused"},
		{"basic with identity token", testregistry.Auth{Scheme: testregistry.Basic}, provider.NewIdentityToken(secretIdentity), "has none"},
		{"bearer without", testregistry.Auth{Scheme: testregistry.Bearer}, provider.Credential{}, "no entry"},
		{"bearer wrong", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewCredential("alice", "guess"), "fetching a token"},
		{"bearer wrong registry token", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewRegistryToken("guess"), "refused"},
		{"bearer wrong identity token", testregistry.Auth{Scheme: testregistry.Bearer}, provider.NewIdentityToken("guess"), "invalid_grant"},
		{"not this repository", testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{{Name: "bob", Password: "b", Repositories: []string{"theirs"}}}},
			provider.NewCredential("bob", "b"), "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.auth.Users = append(tt.auth.Users, alice)
			reg := start(t, testregistry.Config{Auth: tt.auth})
			p := open(t, reg)
			req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), tt.cred)
			for range 2 { // cold, then with the challenge known
				_, err := p.Lookup(t.Context(), req)
				wantError(t, err, provider.ClassUnauthorized, tt.says)
			}
		})
	}
}

// A caller that leaves while the token is on its way leaves at once, and fails
// nobody who waits for the same token.
func TestLeavingAFlight(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
	p := open(t, reg)
	req := at(t, ref, provider.NewCredential("alice", secretPassword))
	b := reg.Barrier(2, tokens) // one token request is held until we say so
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { _, err := p.Lookup(t.Context(), req); return err })
	if err := reg.Wait(t.Context(), 1, tokens); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() { _, err := p.Lookup(ctx, req); result <- err }()
	cancel()
	if err := <-result; provider.ClassOf(err) != provider.ClassCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	b.Release()
	if err := g.Wait(); err != nil {
		t.Errorf("who stayed got %v", err)
	}
	if n := reg.Count(tokens); n != 1 {
		t.Errorf("%d tokens", n)
	}
}
