package soak_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// endpoint is a registry, with what is known of it at any time.
type endpoint struct {
	*testregistry.Registry
	name   string
	cfg    testregistry.Config
	faults history[fault]
	users  history[accounts]
	tags   map[string]*history[string] // by repository: the digest of tagMoving
	lacks  map[string]bool             // digests that it does not have, though its neighbours do
}

// accounts are who may read what of an endpoint.
type accounts map[string]account // by user

type account struct {
	generation int      // of the password
	repos      []string // nil is all
}

// password returns that of a user at an endpoint. It names both, so that one that turns
// up anywhere else gives itself away.
func password(user, endpoint string, generation int) string {
	return fmt.Sprintf("%s at %s, number %d", user, endpoint, generation)
}

// mayRead reports whether the credential was good for the repository at any time of
// s, and whether it always was.
func (e *endpoint) mayRead(c provider.Credential, repo string, s span) (ever, always bool) {
	if isPublic(repo) {
		return true, c.IsZero() || e.hasAlways(c, repo, s)
	}
	user, given, _ := c.Basic()
	always = true
	for _, as := range e.users.during(s) {
		if as.allow(e.name, user, given, repo) {
			ever = true
		} else {
			always = false
		}
	}
	return ever, always
}

func (e *endpoint) hasAlways(c provider.Credential, repo string, s span) bool {
	user, given, _ := c.Basic()
	for _, as := range e.users.during(s) {
		if !as.allow(e.name, user, given, repo) {
			return false
		}
	}
	return true
}

func (as accounts) allow(endpoint, user, given, repo string) bool {
	a, ok := as[user]
	if !ok || given != password(user, endpoint, a.generation) {
		return false
	}
	for _, r := range a.repos {
		if repo == r {
			return true
		}
	}
	return a.repos == nil
}

// admit changes who may read what.
func (e *endpoint) admit(as accounts) {
	auth := e.cfg.Auth
	for user, a := range as {
		auth.Users = append(auth.Users, testregistry.User{Name: user, Password: password(user, e.name, a.generation), Repositories: a.repos})
	}
	e.users.change(as, func() { e.SetAuth(auth) })
}

const publicPart = "public"

func isPublic(repo string) bool { return strings.HasPrefix(repo, publicPart+"/") }

// kinds of registries: each endpoint is another one.
var kinds = map[string]testregistry.Config{
	"source":   {Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}},
	"switched": {Auth: testregistry.Auth{Scheme: testregistry.Basic}},
	"shut":     {Auth: testregistry.Auth{Scheme: testregistry.Basic}},
	"first":    {Auth: testregistry.Auth{Scheme: testregistry.Basic}, NoHTTP2: true},
	"second":   {Auth: testregistry.Auth{Scheme: testregistry.Bearer}, RedirectBlobs: true},
	"third":    {Auth: testregistry.Auth{Scheme: testregistry.Basic}, Unconditional: true},
}

func startEndpoint(tb testing.TB, j *journal, name string, ca *testregistry.CA) *endpoint {
	tb.Helper()
	cfg := kinds[name]
	cfg.CA = ca
	cfg.Auth.Anonymous = []string{publicPart}
	r, err := testregistry.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	e := &endpoint{Registry: r, name: name, cfg: cfg, tags: make(map[string]*history[string]), lacks: make(map[string]bool)}
	// A fault that never strikes sees every request.
	r.Inject(testregistry.Fault{Match: testregistry.Match{If: func(q testregistry.Request) bool {
		e.inspect(j, q)
		return false
	}}, Action: testregistry.Hang()})
	return e
}

// inspect looks for credentials of somebody else. It does not print them.
func (e *endpoint) inspect(j *journal, q testregistry.Request) {
	scheme, value, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	secrets := []string{q.Form.Get("password"), q.Form.Get("refresh_token")}
	switch {
	case q.Kind == testregistry.Storage && scheme != "":
		j.fail("the storage of %s was sent an Authorization header", e.name)
	case scheme == "Basic":
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			j.fail("%s was sent Basic credentials that are none", e.name)
		}
		secrets = append(secrets, string(b))
	case scheme == "Bearer" && e.cfg.Auth.Scheme != testregistry.Bearer:
		j.fail("%s, which gives no tokens, was sent one", e.name)
	}
	for _, s := range secrets {
		if s != "" && !strings.Contains(s, " at "+e.name+", ") {
			j.fail("%s was sent credentials of another registry", e.name)
		}
	}
}

// tenant is somebody who looks releases up, with credentials that may change.
type tenant struct {
	name        string
	credentials history[provider.Credentials]
}

// secret returns a pull secret for all of es, as of a generation.
func secret(tb testing.TB, user string, generation int, es []*endpoint) provider.Credentials {
	tb.Helper()
	entries := make(map[string]provider.Credential)
	for _, e := range es {
		entries[e.Host()] = provider.NewCredential(user, password(user, e.name, generation))
	}
	c, err := provider.NewCredentials(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// at returns the endpoint that ref is at, nil for none of ours.
func (s *site) at(ref imageref.Ref) *endpoint { return s.byHost[ref.Registry()] }
