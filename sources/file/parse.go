package file

import (
	"os"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// Parse reads policies that somebody already holds: data is the content of one file, of
// any form that [Open] reads. name says in origins and errors what data is, such as
// "configmap/mirrors". What is wrong is a [*policy.InvalidPolicyError].
func Parse(name string, data []byte) (policy.Policy, error) {
	set := objects.NewSet("")
	if err := set.Add(name, data); err != nil {
		return policy.Policy{}, err
	}
	p, err := set.Policy()
	if err != nil {
		if e, ok := err.(*policy.InvalidPolicyError); ok && e.Origin == "" {
			e.Origin = name
		}
		return policy.Policy{}, err
	}
	if !set.HandedOn() {
		warnNoRules(&p, name, layout{})
	}
	return p, nil
}

// Spec returns arg as a spec: "file:PATH" for a path, else arg itself. What begins like a
// scheme that schemes does not know is a path only where there is such a file.
func Spec(arg string, schemes *sources.Schemes) string {
	scheme, _, ok := strings.Cut(arg, ":")
	switch {
	case !ok, strings.ContainsAny(scheme, "/."):
		return "file:" + arg
	case schemes.Has(scheme):
		return arg
	}
	if _, err := os.Lstat(arg); err == nil {
		return "file:" + arg
	}
	return arg
}
