package testregistry

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const defaultTokenLifetime = 5 * time.Minute

// authority decides who may read what, and knows the tokens that are out.
type authority struct {
	mu     sync.Mutex
	auth   Auth
	realm  string
	tokens map[string]grant
}

// grant is what a token is good for.
type grant struct {
	repos   []string
	expires time.Time
}

// SetAuth changes who may read what, from the next request on. Tokens that are
// out are void. TokenElsewhere and PlainToken stay as they were.
func (r *Registry) SetAuth(a Auth) {
	r.auth.mu.Lock()
	defer r.auth.mu.Unlock()
	r.auth.auth, r.auth.tokens = a, make(map[string]grant)
	r.auth.realm = a.Realm
	if a.Realm == "" {
		r.auth.realm = r.token.URL() + "/token"
	}
}

// ExpireTokens voids the tokens that are out. Clients must ask for new ones.
func (r *Registry) ExpireTokens() {
	r.auth.mu.Lock()
	defer r.auth.mu.Unlock()
	clear(r.auth.tokens)
}

// check reports whether a request may be answered; if not, it says what to
// answer instead.
func (a *authority) check(req *http.Request, q Request) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	said, ok := a.decide(req, q)
	if !ok && q.Repository != "" && a.auth.PingOnly {
		if a.auth.HiddenStatus != 0 {
			return failure(a.auth.HiddenStatus, "UNKNOWN", "no such thing"), false
		}
		said.header.Del("Www-Authenticate")
	}
	return said, ok
}

func (a *authority) decide(req *http.Request, q Request) (answer, bool) {
	switch a.auth.Scheme {
	case Basic:
		return a.checkBasic(req, q.Repository)
	case Bearer:
		return a.checkBearer(req, q.Repository)
	}
	return answer{}, true
}

func (a *authority) checkBasic(req *http.Request, repo string) (answer, bool) {
	if repo != "" && covers(a.auth.Anonymous, repo) {
		return answer{}, true
	}
	u, ok := a.user(req)
	if !ok {
		return unauthorized(`Basic realm="testregistry"`), false
	}
	if repo != "" && !u.mayRead(repo) {
		return failure(http.StatusForbidden, "DENIED", "requested access to the resource is denied"), false
	}
	return answer{}, true
}

func (a *authority) checkBearer(req *http.Request, repo string) (answer, bool) {
	challenge := fmt.Sprintf(`Bearer realm="%s",service="testregistry"`, a.realm)
	scope := "repository:" + repo + ":pull"
	if a.auth.Scope != nil {
		scope = a.auth.Scope(repo)
	}
	if repo != "" || a.auth.Scope != nil {
		challenge += fmt.Sprintf(`,scope="%s"`, scope)
	}
	if _, _, basic := req.BasicAuth(); basic && a.auth.BasicStatus != 0 {
		return failure(a.auth.BasicStatus, "DENIED", "Your Authorization Token is invalid."), false
	}
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return unauthorized(challenge), false
	}
	for _, u := range a.auth.Users {
		if u.RegistryToken != "" && u.RegistryToken == token && (repo == "" || u.mayRead(repo)) {
			return answer{}, true
		}
	}
	g, ok := a.tokens[token]
	if !ok || !time.Now().Before(g.expires) {
		if a.auth.TokenStatus != 0 {
			return failure(a.auth.TokenStatus, "DENIED", "Your Authorization Token has expired."), false
		}
		if a.auth.BasicForTokens {
			return unauthorized(`Basic realm="testregistry"`), false
		}
		return unauthorized(challenge + `,error="invalid_token"`), false
	}
	want := repo
	if a.auth.ScopeCounts {
		want, _ = pullScope(scope)
	}
	if repo != "" && !slices.Contains(g.repos, want) {
		if a.auth.BasicForTokens {
			return unauthorized(`Basic realm="testregistry"`), false
		}
		return unauthorized(challenge + `,error="insufficient_scope"`), false
	}
	return answer{}, true
}

func unauthorized(challenge string) answer {
	f := failure(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	f.header.Set("Www-Authenticate", challenge)
	return f
}

// user returns who the Basic credentials of a request belong to.
func (a *authority) user(req *http.Request) (User, bool) {
	name, password, ok := req.BasicAuth()
	if !ok {
		return User{}, false
	}
	return a.login(name, password)
}

func (a *authority) login(name, password string) (User, bool) {
	for _, u := range a.auth.Users {
		if u.Name != "" && u.Name == name && u.Password == password {
			return u, true
		}
	}
	return User{}, false
}

func (u User) mayRead(repo string) bool {
	return u.Repositories == nil || covers(u.Repositories, repo)
}

// covers reports whether one of prefixes is repo or whole leading components of it.
func covers(prefixes []string, repo string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return p == repo || strings.HasPrefix(repo, p+"/")
	})
}

func newToken() string { return "token-" + rand.Text() }
