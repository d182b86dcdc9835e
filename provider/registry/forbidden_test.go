package registry_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// counted returns a host that notes every connection, TLS or not.
func counted(t *testing.T) (host string, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), connections
}

// R12: not one packet to a forbidden source, wherever a permitted mirror leads.
func TestLedToForbidden(t *testing.T) {
	img := small(t)
	for _, tt := range []struct {
		name    string
		scope   string // after the source's host
		never   bool
		match   testregistry.Match
		to      string // of a redirect; "" is a realm
		allowed bool
	}{
		{"blob, blocked host", "", false, blobs, "/v2/ocp/release/blobs/x", false},
		{"blob, never contact source", "", true, blobs, "/v2/ocp/release/blobs/x", false},
		{"manifest, blocked host", "", false, manifests, "/v2/ocp/release/manifests/x", false},
		{"manifest, never contact source", "/ocp", true, manifests, "/v2/ocp/release/manifests/x", false},
		{"storage of a host of which a part is blocked", "/ocp", false, blobs, "/storage/x", false},
		{"another repository", "/ocp", false, blobs, "/v2/other/blobs/x", true},
		{"realm, blocked host", "", false, manifests, "", false},
		{"realm, part of the host", "/ocp", true, manifests, "", false},
		{"realm, part of another host", ".example/ocp", false, manifests, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, connections := counted(t)
			cfg := testregistry.Config{}
			if tt.to == "" {
				cfg.Auth = testregistry.Auth{Scheme: testregistry.Bearer, Realm: "https://" + source + "/token", Users: []testregistry.User{alice}}
			}
			mirror := start(t, cfg)
			ref := mirror.ByDigest(repo, mirror.Push(repo, "", img))
			if tt.to != "" {
				mirror.Fail(tt.match, testregistry.Redirect("https://"+source+tt.to))
			}
			scope := source + tt.scope
			blocked := policy.Policy{Blocked: []policy.Scope{{Name: scope, Origin: "the/origin"}}}
			if tt.never {
				blocked = policy.Policy{Rules: []policy.Rule{{
					Source: scope, Mirrors: []policy.Mirror{{Location: mirror.Host() + "/ocp"}}, Pull: policy.PullAny,
					NeverContactSource: true, Origin: "the/origin",
				}}}
			}
			rules, err := policy.NewRules(policy.RulesConfig{}, blocked)
			if err != nil {
				t.Fatal(err)
			}
			req := at(t, ref, provider.NewCredential("alice", secretPassword))
			req.Rules = rules
			_, err = open(t, mirror).Lookup(t.Context(), req)
			if err == nil {
				t.Fatal("no error")
			}
			if tt.allowed {
				if connections.Load() == 0 {
					t.Errorf("it was not asked: %v", err)
				}
				return
			}
			if e := wantError(t, err, provider.ClassForbidden, "which "+scope+" blocks (the/origin)"); !e.Elsewhere {
				t.Error("it reads as if the mirror itself were forbidden")
			}
			if n := connections.Load(); n != 0 {
				t.Errorf("%d connections to the forbidden source", n)
			}
		})
	}
}

// A registry of which one repository is blocked authenticates the others, with a
// realm of its own.
func TestOwnRealmOfPartlyBlocked(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Blocked: []policy.Scope{{Name: reg.Host() + "/secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", secretPassword))
	req.Rules = rules
	if _, err := open(t, reg).Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	reg.Fail(blobs, testregistry.Redirect(reg.URL()+"/v2/secret/blobs/x"))
	_, err = open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassForbidden, "/secret blocks")
}

// Whose rules forbid a realm does not join the token request of one whose rules
// do not.
func TestForbiddenRealmInFlight(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, Users: []testregistry.User{alice}}})
	req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", secretPassword))
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Blocked: []policy.Scope{{Name: reg.Token().Addr()}}})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, reg)
	b := reg.Barrier(2, tokens)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.Lookup(context.WithoutCancel(t.Context()), req); err != nil {
			t.Error(err)
		}
	})
	if err := reg.Wait(t.Context(), 1, tokens); err != nil {
		t.Fatal(err)
	}
	strict := req
	strict.Rules = rules
	_, err = p.Lookup(t.Context(), strict)
	wantError(t, err, provider.ClassForbidden, "a token realm at "+reg.Token().Addr())
	b.Release()
	wg.Wait()
	// A token that is there is no packet.
	if _, err = p.Lookup(t.Context(), strict); err != nil {
		t.Error(err)
	}
	if n := reg.Count(tokens); n != 1 {
		t.Errorf("%d token requests", n)
	}
}
