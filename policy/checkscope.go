package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ScopeError says that a scope does not cover what it seems to. Nodes compare scopes
// with the names of images byte for byte, and they report no scope that matches none.
type ScopeError struct {
	Scope string
	// Dead is true if the scope matches no image, so it has no effect. Otherwise it covers
	// less than it seems to.
	Dead bool
	Err  error // what is wrong and what to do
}

func (e *ScopeError) Error() string { return fmt.Sprintf("scope %q %s", e.Scope, e.effect()) }

// Unwrap returns what is wrong, without the scope.
func (e *ScopeError) Unwrap() error { return e.Err }

// effect returns what the error says, for a sentence whose subject is the scope.
func (e *ScopeError) effect() string {
	if e.Dead {
		return "matches no image, so it has no effect: " + e.Err.Error()
	}
	return e.Err.Error()
}

// CheckScope returns a [*ScopeError] if a scope covers less than it seems to. The scope
// may be insecure or blocked, or the source of a mirror rule. A scope is a registry, a
// namespace, a repository, or *.HOST for every host below HOST. It covers the names of
// images in full form, without tag and digest, that equal it or lie below it.
//
// "docker.io/bitnami" is a namespace and a good scope, although an image of that name
// is docker.io/library/bitnami.
func CheckScope(scope string) error {
	if e := checkScope(scope); e != nil {
		return e
	}
	return nil
}

var (
	errScopeEmpty   = errors.New("it is empty; name a registry, a namespace or a repository, or write *.HOST")
	errScopeList    = errors.New("state each registry in an entry of its own")
	errScopeHosts   = errors.New("write *.HOST, without a port or a path")
	errScopeStar    = errors.New("a wildcard is written *.HOST and covers whole hosts")
	errScopeScheme  = errors.New("write it without the scheme")
	errScopeForm    = errors.New("want HOST[:PORT][/PATH] with a dot or a port in the host, the path in lower case, without tag or digest")
	errScopeLegacy  = errors.New("images of index.docker.io are known as those of docker.io: name that")
	errScopeSlash   = errors.New("covers nothing that is nested in it, no more specific source and no mirror: write it without the slash at its end")
	errScopeLetters = errors.New("matches only images whose registry is written in these very letters, upper case included: write it as references do, in lower case")
)

func checkScope(s string) *ScopeError {
	dead := func(why error) *ScopeError { return &ScopeError{Scope: s, Dead: true, Err: why} }
	host, _, _ := strings.Cut(s, "/")
	switch {
	case s == "":
		return dead(errScopeEmpty)
	case strings.ContainsAny(s, ", \t"):
		return dead(errScopeList)
	case isWildcard(s):
		if !imageref.IsHost(s[2:]) {
			return dead(errScopeHosts)
		}
	case strings.Contains(s, "*"):
		return dead(errScopeStar)
	case strings.HasSuffix(s, "/"):
		return &ScopeError{Scope: s, Err: errScopeSlash}
	case strings.Contains(s, "://"):
		return dead(errScopeScheme)
	case host == "index.docker.io":
		return dead(errScopeLegacy)
	case !isPartOfName(s):
		return dead(errScopeForm)
	}
	if host != strings.ToLower(host) {
		return &ScopeError{Scope: s, Err: errScopeLetters}
	}
	return nil
}

// isPartOfName reports whether an image can have the name s, or one below it.
func isPartOfName(s string) bool {
	for _, name := range []string{s, s + "/a"} {
		ref, err := imageref.Parse(name)
		if err == nil && (ref.Name() == s || strings.HasPrefix(ref.Name(), s+"/")) {
			return true
		}
	}
	return false
}

// isRenderable reports whether the machine-config operator renders a scope
// (IsValidRegistriesConfScope of openshift/runtime-utils). It refuses some of what
// checkScope finds wrong, and nothing else.
func isRenderable(s string) bool {
	if s == "" {
		return false
	}
	return !strings.Contains(s, "*") || isWildcard(s) && !strings.ContainsAny(s[2:], "/@:*")
}
