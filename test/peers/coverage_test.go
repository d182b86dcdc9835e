package peers

import (
	"maps"
	"slices"
	"strings"

	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/policy"
)

// classes must all come up in 300 sets.
var classes = []string{
	"images asked about",
	"set refused: wildcard mirrors to be passed on",
	"set refused: settings of one location that conflict", "set refused: settings of one location that conflict, once edited",
	"set refused: URL",
	"set refused: wildcard with a port or a path",
	"set refused: empty location",
	"set refused: mirror-by-digest-only and API mirrors",
	"set with ICSP", "set with IDMS", "set with ITMS", "set with rules for any pull", "set with insecure scopes", "set with blocked scopes",
	"set with registries.conf", "set with a drop-in that replaces a table", "set with a drop-in that replaces what objects state", "set with registries.conf and objects", "set that is not edited", "set whose tags follow digest rules",
	"set with the same source in several entries", "set with a scope that inherits mirrors", "set with a blocked source that a nested entry opens",
	"set with a tag-only entry below digest mirrors", "set with the source among its mirrors",
	"answer: no entry", "answer: a mirror", "answer: two mirrors or more", "answer: a mirror makes no reference", "answer: a mirror refused", "answer: the source refused",
	"answer: nothing left", "answer: an insecure mirror", "answer: an insecure source", "answer: the source before a mirror", "answer: a wildcard",
	"answer: a wildcard that is as long as the host", "answer: a port on a source without one", "answer: digest", "answer: tag", "answer: source at another location",
	"answer: of a drop-in that replaces what objects state", "answer: of a drop-in where objects state nothing", "answer: of an object, below a drop-in",
}

func (c coverage) set(s *policySet) {
	c.add("set")
	c.addIf("set with ICSP", len(s.icsp) > 0)
	c.addIf("set with IDMS", len(s.idms) > 0)
	c.addIf("set with ITMS", len(s.itms) > 0)
	c.addIf("set with rules for any pull", len(s.any) > 0)
	c.addIf("set with insecure scopes", len(s.insecure) > 0)
	c.addIf("set with blocked scopes", len(s.blocked) > 0)
	c.addIf("set with registries.conf", len(s.base) > 0)
	c.addIf("set with a drop-in that replaces a table", replaces(s))
	c.addIf("set with a drop-in that replaces what objects state", len(s.overObjects()) > 0)
	c.addIf("set with registries.conf and objects", len(s.base) > 0 && s.entries() > 0)
	c.addIf("set that is not edited", !s.edited() && len(s.base) > 0)
	c.addIf("set whose tags follow digest rules", s.tagsFollow)
	sources := map[string]int{}
	for _, o := range s.idms {
		for _, e := range o.Spec.ImageDigestMirrors {
			sources[e.Source]++
		}
	}
	for _, o := range s.icsp {
		for _, e := range o.Spec.RepositoryDigestMirrors {
			sources[e.Source]++
		}
	}
	for _, n := range sources {
		if n > 1 {
			c.add("set with the same source in several entries")
			break
		}
	}
}

// scope returns what a table is about.
func scope(r sr536.Registry) string {
	if r.Prefix != "" {
		return r.Prefix
	}
	return r.Location
}

// dropInScopes returns what the drop-ins of s are about.
func (s *policySet) dropInScopes() map[string]bool {
	out := map[string]bool{}
	for _, d := range s.dropIns {
		for _, r := range d {
			out[scope(r)] = true
		}
	}
	return out
}

// overObjects returns those of them that API objects or scopes are about, too.
func (s *policySet) overObjects() map[string]bool {
	out := s.dropInScopes()
	maps.DeleteFunc(out, func(scope string, _ bool) bool { return !slices.Contains(s.stated(), scope) })
	return out
}

func replaces(s *policySet) bool {
	seen := map[string]bool{}
	for _, r := range s.base {
		seen[scope(r)] = true
	}
	for _, d := range s.dropIns {
		for _, r := range d {
			if seen[scope(r)] {
				return true
			}
		}
	}
	return false
}

// node counts what the tables of a node show.
func (c coverage) node(s *policySet, n *node, policies []policy.Policy) {
	rules := map[string]bool{}
	for _, p := range policies {
		for _, r := range p.Rules {
			rules[r.Source] = true
		}
	}
	never := map[string]bool{}
	inherited, hidden, shadow, twice := false, false, false, false
	digest := map[string]bool{}
	for _, t := range n.tables {
		scope := t.Prefix + t.Location
		never[scope] = t.Blocked
		for i, m := range t.Mirrors {
			digest[scope] = digest[scope] || m.PullFromMirror != sr536.MirrorByTagOnly
			twice = twice || i > 0 && m.Location == scope
		}
		inherited = inherited || t.Prefix == "" && len(t.Mirrors) > 0 && !rules[t.Location] && len(s.base) == 0
	}
	for _, t := range n.tables {
		scope := t.Prefix + t.Location
		for i := range scope {
			if scope[i] == '/' {
				hidden = hidden || never[scope[:i]] && !t.Blocked
				shadow = shadow || digest[scope[:i]] && len(t.Mirrors) > 0 && !digest[scope]
			}
		}
	}
	c.addIf("set with a scope that inherits mirrors", inherited)
	c.addIf("set with a blocked source that a nested entry opens", hidden)
	c.addIf("set with a tag-only entry below digest mirrors", shadow)
	c.addIf("set with the source among its mirrors", twice)
}

func (c coverage) refusedSet(err error) {
	for text, class := range map[string]string{
		"for a wildcard scope":         "wildcard mirrors to be passed on",
		"conflicting":                  "settings of one location that conflict",
		"URI schemes":                  "URL",
		"Wildcarded prefix should be":  "wildcard with a port or a path",
		"unset":                        "empty location",
		"cannot set mirror usage":      "mirror-by-digest-only and API mirrors",
		"unsupported pull-from-mirror": "unknown pull-from-mirror",
	} {
		if strings.Contains(err.Error(), text) {
			if text == "conflicting" && strings.HasPrefix(err.Error(), "edited: ") {
				class += ", once edited"
			}
			c.add("set refused: " + class)
			return
		}
	}
	c.add("set refused: " + err.Error())
}

func (c coverage) answer(s *policySet, ref string, a answer) {
	replacing, dropIns := s.overObjects(), s.dropInScopes()
	c.addIf("answer: of a drop-in that replaces what objects state", replacing[a.source])
	c.addIf("answer: of a drop-in where objects state nothing", dropIns[a.source] && !replacing[a.source] && s.edited())
	parent := func() bool {
		for i := range a.source {
			if a.source[i] == '/' && dropIns[a.source[:i]] {
				return true
			}
		}
		return false
	}
	c.addIf("answer: of an object, below a drop-in", !dropIns[a.source] && slices.Contains(s.stated(), a.source) && parent())
	mirrors, insecureMirror, insecureSource, before := 0, false, false, false
	for i, s := range a.candidates {
		if strings.Contains(s, " mirror") {
			mirrors++
			insecureMirror = insecureMirror || strings.Contains(s, " insecure")
			continue
		}
		insecureSource = insecureSource || strings.Contains(s, " insecure")
		before = before || i < len(a.candidates)-1
	}
	refusedMirror, refusedSource := false, false
	for _, s := range a.refused {
		refusedMirror = refusedMirror || strings.Contains(s, " mirror")
		refusedSource = refusedSource || !strings.Contains(s, " mirror")
	}
	host, _, _ := strings.Cut(ref, "/")
	bare, _, port := strings.Cut(host, ":")
	last := ""
	if len(a.candidates) > 0 {
		last = strings.TrimSuffix(a.candidates[len(a.candidates)-1], " insecure")
	}
	c.addIf("answer: no entry", a.source == "")
	c.addIf("answer: a mirror", mirrors == 1)
	c.addIf("answer: two mirrors or more", mirrors > 1)
	c.addIf("answer: a mirror makes no reference", a.failed)
	c.addIf("answer: a mirror refused", refusedMirror)
	c.addIf("answer: the source refused", refusedSource)
	c.addIf("answer: nothing left", !a.failed && len(a.candidates) == 0)
	c.addIf("answer: an insecure mirror", insecureMirror)
	c.addIf("answer: an insecure source", insecureSource)
	c.addIf("answer: the source before a mirror", before)
	c.addIf("answer: a wildcard", strings.HasPrefix(a.source, "*."))
	c.addIf("answer: a wildcard that is as long as the host", strings.HasPrefix(a.source, "*.") && len(a.source) == len(bare))
	c.addIf("answer: a port on a source without one", port && a.source != "" && !strings.Contains(a.source, ":"))
	c.addIf("answer: source at another location", !a.failed && last != "" && last != ref && !strings.Contains(last, " mirror"))
	c.addIf("answer: digest", strings.Contains(ref, "@"))
	c.addIf("answer: tag", !strings.Contains(ref, "@"))
}
