package diff

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Conf is the registries.conf of a node, as far as the machine-config daemon compares it.
type Conf struct {
	// Search is unqualified-search-registries.
	Search []string
	// Registries are the [[registry]] tables, in the order of the file.
	Registries []Registry
}

// Registry is a [[registry]] table. Its fields are named as in the file: Prefix, Location,
// Insecure, Blocked, MirrorByDigestOnly and Mirrors. A table without a Prefix is that of its
// Location.
type Registry struct {
	Prefix, Location   string
	Insecure, Blocked  bool
	MirrorByDigestOnly bool
	Mirrors            []Mirror
}

// Mirror is a [[registry.mirror]] table, with Location and Insecure as in the file.
type Mirror struct {
	Location       string
	Insecure       bool
	PullFromMirror string // "", "all", "digest-only" or "tag-only"
}

const (
	digestOnly = "digest-only"
	tagOnly    = "tag-only"
)

// scope returns what a table is known by.
func (r Registry) scope() string { return cmp.Or(r.Prefix, r.Location) }

func (r Registry) equal(o Registry) bool {
	return r.Prefix == o.Prefix && r.Location == o.Location && r.Insecure == o.Insecure && r.Blocked == o.Blocked &&
		r.MirrorByDigestOnly == o.MirrorByDigestOnly && slices.Equal(r.Mirrors, o.Mirrors)
}

func (c Conf) equal(o Conf) bool {
	return slices.Equal(c.Search, o.Search) && slices.EqualFunc(c.Registries, o.Registries, Registry.equal)
}

// confOf returns the registries.conf that the machine-config operator would write of
// policies, without what drop-ins say later.
func confOf(policies []policy.Policy) (Conf, error) {
	var c Conf
	bare := make([]policy.Policy, 0, len(policies))
	for _, p := range policies {
		for _, s := range p.Search {
			if s.Object == nil {
				c.Search = append(c.Search, s.Name)
			}
		}
		p.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool {
			return r.DropIn || r.Kind == policy.KindRewrite
		})
		bare = append(bare, p)
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, bare...)
	if err != nil {
		return Conf{}, err
	}
	tables := make(map[string]*Registry)
	for _, r := range rules.Policy().Rules {
		t := tables[r.Source]
		if t == nil {
			t = newRegistry(r)
			tables[r.Source] = t
		}
		for _, m := range r.Mirrors {
			t.Mirrors = append(t.Mirrors, Mirror{m.Location, m.Insecure, pullFrom(r)})
		}
	}
	for _, prefix := range order(bare, tables) {
		c.Registries = append(c.Registries, *tables[prefix])
	}
	return c, nil
}

// newRegistry makes the table of r, without mirrors. Only tables of wildcards, and those
// that are pulled from elsewhere, have a prefix beside the location.
func newRegistry(r policy.Rule) *Registry {
	t := &Registry{Location: r.Source, Insecure: r.Insecure, Blocked: r.NeverContactSource, MirrorByDigestOnly: r.DigestOnly}
	if r.Location != "" || strings.HasPrefix(r.Source, "*.") {
		t.Prefix, t.Location = r.Source, r.Location
	}
	return t
}

func pullFrom(r policy.Rule) string {
	switch {
	case r.DigestOnly, r.Pull == policy.PullAny:
		return ""
	case r.Pull == policy.PullTag:
		return tagOnly
	}
	return digestOnly
}

// order returns the tables in the order in which nodes have them: those of the file that
// is edited, the sources of digest mirrors, those of tag mirrors, then blocked and insecure
// scopes as they are stated (openshift/runtime-utils, EditRegistriesConfig).
func order(policies []policy.Policy, tables map[string]*Registry) []string {
	var names, digest, tag, blocked, insecure []string
	for _, p := range policies {
		for _, r := range p.Rules {
			switch {
			case r.ConfTable:
				names = append(names, strings.TrimRight(r.Source, "/"))
			case !slices.ContainsFunc(r.Mirrors, func(m policy.Mirror) bool { return m.Location != r.Source }):
				// nodes drop it
			default:
				if r.Pull != policy.PullTag {
					digest = append(digest, r.Source)
				}
				if r.Pull != policy.PullDigest {
					tag = append(tag, r.Source)
				}
			}
		}
		for _, s := range p.Blocked {
			blocked = append(blocked, s.Name)
		}
		for _, s := range p.Insecure {
			insecure = append(insecure, s.Name)
		}
	}
	slices.Sort(digest)
	slices.Sort(tag)
	rest := slices.Sorted(maps.Keys(tables)) // none is left out
	seen := make(map[string]bool, len(tables))
	return slices.DeleteFunc(slices.Concat(names, digest, tag, blocked, insecure, rest), func(name string) bool {
		repeated := seen[name] || tables[name] == nil
		seen[name] = true
		return repeated
	})
}
