package auth

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// basicOf returns cred's user name and password for a registry that asks for them. Some
// clients write an identity token and an empty password, which is none.
func basicOf(cred provider.Credential) (user, password string, ok bool) {
	user, password, ok = cred.Basic()
	if password == "" && hasToken(cred) {
		return "", "", false
	}
	return user, password, ok
}

// hasToken reports whether cred has something better than a password.
func hasToken(cred provider.Credential) bool {
	return cred.IdentityToken() != "" || cred.RegistryToken() != ""
}

func basicHeader(user, password string) string { return "Basic " + encoded(user, password) }

func encoded(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func unauthorized(why string) error {
	return &provider.Error{Class: provider.ClassUnauthorized, Status: http.StatusUnauthorized, Err: reason(why)}
}

type reason string

func (r reason) Error() string { return string(r) }

func wanting(cred provider.Credential) string {
	if cred.IsZero() {
		return "it wants a user name and a password, and the pull secret has no entry for it"
	}
	return "it wants a user name and a password, and the pull secret's entry for it has none"
}

// noScheme names the schemes that a registry offers and we do not speak. If it offers none,
// what it says instead is quoted. resp is closed.
func noScheme(resp *wire.Response, secrets []string) string {
	var names []string
	for _, c := range ParseChallenges(resp.Header) {
		names = append(names, c.Scheme)
	}
	switch list := strings.Join(names, " or "); {
	case list == "":
		if e := wire.StatusError(resp, secrets...); e.Err != nil {
			return "it answers 401 without a challenge: " + e.Err.Error()
		}
		return "it answers 401 without a challenge"
	case wire.Repeats(list, secrets...):
		return "it wants authentication in a way that is not known"
	default:
		return wire.CleanText("it wants authentication by " + list + "; only Basic and Bearer are known")
	}
}
