package testregistry

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serveToken answers like the token endpoints of distribution and quay: GET with
// Basic credentials or none, and POST as OAuth2 has it. A token is given for what
// the user may read of what is asked for, which may be nothing; only wrong
// credentials are refused.
func (r *Registry) serveToken(req *http.Request, q Request) answer {
	a := &r.auth
	a.mu.Lock()
	defer a.mu.Unlock()
	var (
		user   User
		known  bool
		params url.Values
	)
	switch req.Method {
	case http.MethodGet:
		params = q.Query
		if user, known = a.user(req); !known && q.Authorized() {
			return failure(http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		}
	case http.MethodPost:
		if a.auth.NoPost {
			return failure(http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
		}
		params = q.Form
		if user, known = a.oauth(params); !known {
			return jsonAnswer(http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		}
	default:
		return failure(http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}

	g := grant{expires: time.Now().Add(a.lifetime())}
	for _, scopes := range params["scope"] {
		for _, scope := range strings.Fields(scopes) {
			if repo, ok := pullScope(scope); ok && (covers(a.auth.Anonymous, repo) || known && user.mayRead(repo)) {
				g.repos = append(g.repos, repo)
			}
		}
	}
	token := newToken()
	a.tokens[token] = g
	out := map[string]any{
		"access_token": token, "expires_in": int(a.lifetime().Seconds()), "issued_at": time.Now().UTC().Format(time.RFC3339),
	}
	if req.Method == http.MethodGet {
		out["token"] = token
	}
	return jsonAnswer(http.StatusOK, out)
}

func (a *authority) lifetime() time.Duration {
	if a.auth.TokenLifetime != 0 {
		return a.auth.TokenLifetime
	}
	return defaultTokenLifetime
}

// oauth returns who a POST's form names.
func (a *authority) oauth(form url.Values) (User, bool) {
	switch form.Get("grant_type") {
	case "password":
		return a.login(form.Get("username"), form.Get("password"))
	case "refresh_token":
		for _, u := range a.auth.Users {
			if u.IdentityToken != "" && u.IdentityToken == form.Get("refresh_token") {
				return u, true
			}
		}
	}
	return User{}, false
}

// pullScope returns the repository of "repository:NAME:ACTIONS", if the actions
// include pull. NAME may have colons.
func pullScope(scope string) (string, bool) {
	rest, ok := strings.CutPrefix(scope, "repository:")
	i := strings.LastIndexByte(rest, ':')
	if !ok || i < 0 {
		return "", false
	}
	for _, action := range strings.Split(rest[i+1:], ",") {
		if action == "pull" || action == "*" {
			return rest[:i], true
		}
	}
	return "", false
}
