package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Factory returns the factory for environment variables:
// "env:OPENSHIFT_IMG_OVERRIDES", or several in order of preference,
// "env:MIRRORCHAIN_OVERRIDES,OPENSHIFT_IMG_OVERRIDES", see [Preferred]. lookup is
// [os.LookupEnv] or a stand-in; nil is os.LookupEnv. It is asked on every Load.
func Factory(lookup func(string) (string, bool)) sources.Factory {
	return sources.Factory{
		Scheme: "env",
		Help: "env:NAME reads source=mirror pairs from an environment variable, as HyperShift's " + handover.ImageOverridesVariable + " has them, " +
			"or the document of " + handover.Variable + "; of env:NAME,NAME,... the first that is there",
		Open: func(_ context.Context, names string) (policy.OverrideSource, error) {
			return Preferred(lookup, strings.Split(names, ",")...)
		},
	}
}

// Preferred returns a source that reads the first of the named variables that is
// set and not empty, and none of the others: they state the same rules, some of
// them better, and must not be mixed. Each Load finds anew which one that is. If
// its document is wrong, that is an error; the next variable is not read instead.
//
// Each variable may hold either form: a document of package sources/handover, or
// source=mirror pairs. The content shows which one it is. A text that cannot be
// the name of a variable is a [*sources.SpecError].
func Preferred(lookup func(string) (string, bool), names ...string) (policy.OverrideSource, error) {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	spec := "env:" + strings.Join(names, ",")
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "=,\x00") {
			return nil, &sources.SpecError{Spec: spec, Err: errors.New("want the name of a variable, as in env:" + handover.ImageOverridesVariable)}
		}
	}
	return &source{spec: spec, names: slices.Clone(names), lookup: lookup}, nil
}

type source struct {
	spec   string
	names  []string
	lookup func(string) (string, bool)
}

func (s *source) Name() string { return s.spec }

// Load reads the variable that is preferred. Where none is set it is no rules and a
// warning; where those that are set are empty it is no rules.
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	set := false
	for _, name := range s.names {
		value, ok := s.lookup(name)
		set = set || ok
		switch {
		case value == "":
		case isDocument(value):
			return handover.Decode("env:"+name, []byte(value))
		default:
			return handover.ParseImageOverrides("env:"+name, value), nil
		}
	}
	if set {
		return policy.Policy{}, nil
	}
	message := fmt.Sprintf("the environment variable %s is not set: no rules come from it", s.names[0])
	if len(s.names) > 1 {
		message = fmt.Sprintf("none of the environment variables %s is set: no rules come from them", strings.Join(s.names, ", "))
	}
	return policy.Policy{Warnings: []policy.Warning{{Code: policy.WarnNoRules, Origins: []string{s.spec}, Message: message}}}, nil
}

// isDocument tells the forms apart: no source begins with a brace.
func isDocument(value string) bool {
	return strings.HasPrefix(strings.TrimLeft(value, " \t\r\n"), "{")
}
