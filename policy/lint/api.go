package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// The patterns of openshift/api config/v1 for ImageDigestMirrorSet and ImageTagMirrorSet, and
// for the registrySources of Image. They are kept as they are: what lint calls refused has to
// be what the API server refuses.
const (
	hostPattern   = `(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])`
	mirrorPattern = `^(` + hostPattern + `(?:(?:\.` + hostPattern + `)+)?(?::[0-9]+)?)(?:(?:/[a-z0-9]+(?:(?:(?:[._]|__|[-]*)[a-z0-9]+)+)?)+)?$`
	sourcePattern = `^\*(?:\.` + hostPattern + `)+$|` + mirrorPattern
)

// Limits of openshift/api config/v1 for registrySources of Image, and of
// hypershift/v1beta1 for imageContentSources.
const (
	maxScope       = 256
	maxScopes      = 1024
	maxHostedName  = 255
	maxHostedItems = 255
)

// Kinds of objects.
const (
	kindICSP  = "ImageContentSourcePolicy"
	kindIDMS  = "ImageDigestMirrorSet"
	kindITMS  = "ImageTagMirrorSet"
	kindImage = "Image"
)

type patterns struct{ mirror, source *regexp.Regexp }

func newPatterns() patterns {
	return patterns{regexp.MustCompile(mirrorPattern), regexp.MustCompile(sourcePattern)}
}

// checkAPI finds what the API server refuses.
func (f *findings) checkAPI(policies []policy.Policy) {
	ps := newPatterns()
	for _, p := range policies {
		for _, r := range p.Rules {
			f.checkMirrorSet(ps, r)
		}
		f.checkImage(ps, p)
	}
}

func kind(o *policy.Object) string {
	if o == nil {
		return ""
	}
	return o.Kind
}

// isSet reports whether the mirrors of the kind are a set in the API.
func isSet(kind string) bool {
	return kind == kindIDMS || kind == kindITMS || isHosted(kind)
}

func isHosted(kind string) bool { return kind == "HostedCluster" || kind == "HostedControlPlane" }

func (f *findings) checkMirrorSet(ps patterns, r policy.Rule) {
	k := kind(r.Object)
	if k == kindIDMS || k == kindITMS {
		if !ps.source.MatchString(r.Source) {
			f.add(CRDPattern, []string{r.Origin}, "the source %q %s", r.Source, why(r.Source, true))
		}
		for _, m := range r.Mirrors {
			if !ps.mirror.MatchString(m.Location) {
				f.add(CRDPattern, []string{r.Origin}, "the mirror %q of %s %s", m.Location, r.Source, why(m.Location, false))
			}
		}
	}
	var seen []string
	for _, m := range r.Mirrors {
		if seen = append(seen, m.Location); slices.Index(seen, m.Location) == len(seen)-1 || r.ConfTable {
			continue
		}
		n := f.add(MirrorDuplicate, []string{r.Origin}, "the mirror %s of %s is named twice", m.Location, r.Source)
		if n.RefusedByAPI = isSet(k); n.RefusedByAPI {
			n.Effect = notTaken + " Its mirrors are a set."
		} else {
			n.Severity = Warning
		}
		break
	}
}

// why says in words what a name has that no registry, namespace or repository has.
func why(name string, wildcard bool) string {
	host, path, _ := strings.Cut(name, "/")
	last := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case name == "":
		return "is empty"
	case strings.Contains(name, "://"):
		return "has a scheme"
	case strings.Contains(name, "@"):
		return "has a digest"
	case strings.HasSuffix(name, "/"):
		return "has a slash at its end"
	case name == "*":
		return "covers everything, which nothing can mirror: write *.HOST"
	case strings.Contains(name, "*") && !wildcard:
		return "is a wildcard, and a mirror is one place"
	case strings.HasPrefix(name, "*.") && strings.ContainsAny(name, "/:"):
		return "is a wildcard with a port or a path"
	case strings.Contains(name, "*"):
		return "has a * that is not in front of the first dot"
	case strings.HasPrefix(name, "["):
		return "is an IPv6 address, for which the API has no form: write a host name"
	case strings.Contains(last, ":") && path != "":
		return "has a tag"
	case path != strings.ToLower(path):
		return "has upper case letters in its path"
	case strings.ContainsAny(name, " \t"):
		return "has white space"
	case strings.Contains(host, "_"):
		return "has a host name with an underscore"
	case strings.Contains(name, "//"):
		return "has two slashes in a row"
	}
	return "is not HOST[:PORT][/PATH]"
}

// checkImage judges the registrySources of image configurations.
func (f *findings) checkImage(ps patterns, p policy.Policy) {
	byObject := make(map[*policy.Object][2][]string) // origins of allowed and blocked ones
	for field, scopes := range map[string][]policy.Scope{"insecureRegistries": p.Insecure, "blockedRegistries": p.Blocked, "allowedRegistries": p.Allowed} {
		count := make(map[*policy.Object]int)
		for _, s := range scopes {
			if kind(s.Object) != kindImage {
				continue
			}
			if count[s.Object]++; count[s.Object] == maxScopes+1 {
				f.add(CRDLimit, []string{s.Origin}, "%s has more than %d entries", field, maxScopes)
			}
			switch {
			case len(s.Name) > maxScope:
				f.add(CRDLimit, []string{s.Origin}, "an entry of %s has %d characters, and %d are allowed", field, len(s.Name), maxScope)
			case !ps.source.MatchString(s.Name):
				f.add(CRDPattern, []string{s.Origin}, "%q in %s %s", s.Name, field, why(s.Name, true))
			}
			both := byObject[s.Object]
			switch field {
			case "allowedRegistries":
				both[0] = append(both[0], s.Origin)
			case "blockedRegistries":
				both[1] = append(both[1], s.Origin)
			}
			byObject[s.Object] = both
		}
	}
	for object, both := range byObject {
		if len(both[0]) > 0 && len(both[1]) > 0 {
			f.add(AllowedAndBlocked, []string{both[0][0], both[1][0]}, "%s states allowedRegistries and blockedRegistries", object)
		}
	}
	seen := make(map[string]bool)
	for _, s := range p.Search {
		if kind(s.Object) != kindImage {
			continue
		}
		if key := fmt.Sprintf("%p %s", s.Object, s.Name); seen[key] {
			f.add(CRDLimit, []string{s.Origin}, "%q is twice in containerRuntimeSearchRegistries, which is a set", s.Name)
		} else {
			seen[key] = true
		}
	}
}
