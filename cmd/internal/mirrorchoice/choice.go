package mirrorchoice

import (
	"fmt"
	"slices"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Annotations of a HostedCluster.
const (
	// Mirrors says whether the management cluster's mirrors are used: a [Mode].
	Mirrors = "mirrorchain.dev/management-mirrors"
	// Scopes says which of its policy sources are used: those named, and what lies in them,
	// separated by commas.
	Scopes = "mirrorchain.dev/management-mirror-scopes"
)

// Mode is a value of the annotation [Mirrors].
type Mode string

// Values of [Mode].
const (
	// Use is the default: the rules are those of the management cluster.
	Use Mode = "use"
	// Ignore uses spec.imageContentSources of the HostedCluster in their place.
	Ignore Mode = "ignore"
	// PreferHosted uses both, those of the HostedCluster first.
	PreferHosted Mode = "prefer-hosted"
)

// Choice is what a HostedCluster chooses. The zero Choice is the default.
type Choice struct {
	Mode   Mode     // "" is Use
	Scopes []string // sources of the management policies that are used; nil is all
}

// IsDefault reports whether the rules are those of the management cluster, all of them.
func (c Choice) IsDefault() bool { return (c.Mode == "" || c.Mode == Use) && c.Scopes == nil }

// Parse reads the annotations of a HostedCluster. An error names the annotation, and says what
// it may be.
func Parse(annotations map[string]string) (Choice, error) {
	var c Choice
	if text, ok := annotations[Mirrors]; ok {
		switch c.Mode = Mode(strings.TrimSpace(text)); c.Mode {
		case Use, Ignore, PreferHosted:
		default:
			return Choice{}, fmt.Errorf("annotation %s: %.80q is none of %s, %s and %s", Mirrors, text, Use, Ignore, PreferHosted)
		}
	}
	text, ok := annotations[Scopes]
	if !ok {
		return c, nil
	}
	if c.Mode == Ignore {
		return Choice{}, fmt.Errorf("annotation %s: no source is used with %s=%s; remove one of the two", Scopes, Mirrors, Ignore)
	}
	c.Scopes = []string{}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if err := policy.CheckScope(name); err != nil {
			return Choice{}, fmt.Errorf("annotation %s: %w", Scopes, err)
		}
		c.Scopes = append(c.Scopes, name)
	}
	if len(c.Scopes) == 0 {
		return Choice{}, fmt.Errorf("annotation %s: it names no source; write it as in quay.io/openshift-release-dev,registry.redhat.io, or use %s=%s", Scopes, Mirrors, Ignore)
	}
	slices.Sort(c.Scopes)
	c.Scopes = slices.Compact(c.Scopes)
	return c, nil
}

// uses reports whether the management policies' rules for source are used.
func (c Choice) uses(source string) bool {
	if c.Mode == Ignore {
		return false
	}
	return c.Scopes == nil || slices.ContainsFunc(c.Scopes, func(scope string) bool { return within(source, scope) })
}

// within reports whether source is scope, or lies in it.
func within(source, scope string) bool {
	if source == scope || strings.HasPrefix(source, scope+"/") {
		return true
	}
	suffix, wild := strings.CutPrefix(scope, "*")
	host, _, _ := strings.Cut(source, "/")
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return wild && strings.HasSuffix(host, suffix)
}

// Key identifies what [Choice.Rules] depends on beside the management rules.
func (c Choice) Key(hosted []hyperv1.ImageContentSource) string {
	var b strings.Builder
	part := func(s string) { fmt.Fprintf(&b, "%d:%s", len(s), s) }
	part(string(c.Mode))
	fmt.Fprintf(&b, "%t%d,", c.Scopes == nil, len(c.Scopes))
	for _, s := range c.Scopes {
		part(s)
	}
	if !c.usesHosted() {
		return b.String()
	}
	for _, s := range hosted {
		part(s.Source)
		fmt.Fprintf(&b, "%d,", len(s.Mirrors))
		for _, m := range s.Mirrors {
			part(m)
		}
	}
	return b.String()
}

func (c Choice) usesHosted() bool { return c.Mode == Ignore || c.Mode == PreferHosted }
