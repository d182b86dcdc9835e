package policy

import (
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// problem is what is wrong with entries.
type problem struct {
	origins []string
	err     error
}

// validate checks what the machine-config operator checks before it renders anything
// (pkg/controller/container-runtime-config): scopes, then sources, mirrors and policies of all entries.
// One problem, and nothing is rendered. What is wrong with several entries in the
// same way, or with all of one source together, is one problem.
func validate(s statements) []problem {
	var out []problem
	said := make(map[string]int)
	add := func(origins []string, format string, args ...any) {
		err := fmt.Errorf(format, args...)
		at, repeated := said[err.Error()]
		if !repeated {
			at = len(out)
			said[err.Error()] = at
			out = append(out, problem{err: err})
		}
		out[at].origins = append(out[at].origins, origins...)
	}
	for _, scopes := range [][]Scope{s.insecure, s.blocked} {
		for _, scope := range scopes {
			if !isRenderable(scope.Name) {
				add([]string{scope.Origin}, "%q is no scope; want a registry, a namespace, a repository, or *.HOST", scope.Name)
			}
		}
	}
	first := make(map[string]*Rule, len(s.mirror))
	for _, r := range s.mirror {
		origin := []string{r.Origin}
		if !isSource(r.Source) {
			add(origin, "source %q: want HOST[:PORT][/PATH] in lower case, or *.HOST, without scheme, tag, digest or trailing slash", r.Source)
		}
		if f := first[r.Source]; f == nil {
			first[r.Source] = r
		} else if f.NeverContactSource != r.NeverContactSource {
			add([]string{f.Origin, r.Origin}, "conflicting mirrorSourcePolicy for %s: one entry says NeverContactSource, the other allows it, stated or by default; make them agree", r.Source)
		}
		for _, m := range r.Mirrors {
			if !imageref.IsLocation(m.Location) {
				add(origin, "mirror %q of %s: want HOST[:PORT][/PATH] in lower case, without scheme, wildcard, tag, digest or trailing slash", m.Location, r.Source)
			}
			if r.NeverContactSource && m.Location == r.Source {
				add(origin, "mirror %s is the source itself, which NeverContactSource forbids; remove the mirror or the policy", m.Location)
			}
		}
	}
	return out
}

// notRead returns a problem for each thing that carries policy and was not read.
func notRead(policies []Policy) []problem {
	var out []problem
	for _, p := range policies {
		for _, w := range p.Warnings {
			if w.Code == WarnNotRead {
				out = append(out, problem{w.Origins, errors.New(w.Message)})
			}
		}
	}
	return out
}

// isSource reports whether s matches the pattern of a source in openshift/api config/v1.
func isSource(s string) bool {
	if isWildcard(s) {
		return imageref.IsHost(s[2:])
	}
	return imageref.IsLocation(s)
}

// maxProblems is how many errors are reported at once.
const maxProblems = 20

func joinProblems(problems []problem) error {
	var errs []error
	for i, p := range problems {
		if i == maxProblems {
			errs = append(errs, errors.New("and more"))
			break
		}
		origins := distinct(p.origins)
		if n := len(origins); n > maxProblems {
			origins = append(origins[:maxProblems:maxProblems], fmt.Sprintf("and %d more", n-maxProblems))
		}
		errs = append(errs, invalidEntries(origins, "%w", p.err))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
