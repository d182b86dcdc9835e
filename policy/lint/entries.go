package lint

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// checkEntries judges each entry by itself.
func (f *findings) checkEntries(policies []policy.Policy) {
	var insecure []string
	for _, p := range policies {
		for _, s := range p.Insecure {
			insecure = append(insecure, s.Name)
		}
	}
	declared := make(map[string]bool) // hosts about which a finding has been added
	for _, p := range policies {
		for _, r := range p.Rules {
			if r.Kind != policy.KindMirror {
				continue
			}
			f.checkOwnMirror(r)
			f.checkCatchAll(r)
			for _, m := range r.Mirrors {
				host, _, _ := strings.Cut(m.Location, "/")
				if why := seemsInsecure(host); why != "" && !m.Insecure && !declared[host] && !covered(insecure, m.Location) {
					declared[host] = true
					f.add(InsecureNotDeclared, []string{r.Origin}, "the registry %s of the mirror %s %s, and no policy calls it insecure", host, m.Location, why)
				}
			}
		}
	}
}

// checkOwnMirror finds a source among its own mirrors.
func (f *findings) checkOwnMirror(r policy.Rule) {
	if len(r.Mirrors) == 0 || !slices.ContainsFunc(r.Mirrors, func(m policy.Mirror) bool { return m.Location == r.Source }) {
		return
	}
	n := f.add(SourceIsMirror, []string{r.Origin}, "the source %s is among its own mirrors", r.Source)
	if r.NeverContactSource && !r.ConfTable {
		n.Severity = Error
	}
}

// publicHosts returns registries that hold far more than a site mirrors.
func publicHosts() []string {
	return []string{
		"docker.io", "gcr.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.access.redhat.com", "registry.connect.redhat.com",
		"registry.k8s.io", "registry.redhat.io",
	}
}

// checkCatchAll finds a source that covers a whole public registry, or every host of a
// top-level domain.
func (f *findings) checkCatchAll(r policy.Rule) {
	source := strings.TrimRight(r.Source, "/")
	domain, wild := strings.CutPrefix(source, "*.")
	switch {
	case len(r.Mirrors) == 0:
	case wild && !strings.Contains(domain, "."):
		f.add(CatchAll, []string{r.Origin}, "the source %s covers every registry whose name ends in .%s", r.Source, domain)
	case slices.Contains(publicHosts(), source):
		f.add(CatchAll, []string{r.Origin}, "the source %s covers every image of that registry", r.Source)
	}
}

// seemsInsecure says why a registry seems to speak HTTP or to have a certificate of its own.
func seemsInsecure(host string) string {
	name, port, _ := strings.Cut(host, ":")
	if _, err := netip.ParseAddr(name); err == nil {
		return "is an IP address"
	}
	if port == "80" || port == "5000" {
		return "has the port " + port + ", which is often plain HTTP"
	}
	return ""
}

// covered reports whether a location lies in one of scopes.
func covered(scopes []string, location string) bool {
	return slices.ContainsFunc(scopes, func(scope string) bool {
		if domain, ok := strings.CutPrefix(scope, "*"); ok {
			host, _, _ := strings.Cut(location, "/")
			host, _, _ = strings.Cut(host, ":")
			return strings.HasSuffix(host, domain)
		}
		return location == scope || strings.HasPrefix(location, scope+"/")
	})
}

var inNodePoolConfig = regexp.MustCompile(`configmap/\S+ config:\d+ imagetagmirrorset(/| |#|$)`)

// checkHosted finds what has no form in a HostedCluster or in the config of a NodePool.
func (f *findings) checkHosted(cfg Config, policies []policy.Policy) {
	entries := make(map[*policy.Object]int)
	for _, p := range policies {
		for _, r := range p.Rules {
			hosted := isHosted(kind(r.Object))
			refused := func(n *Finding) { n.RefusedByAPI = hosted }
			if kind(r.Object) == kindITMS && inNodePoolConfig.MatchString(r.Origin) {
				f.add(NodePoolUnsupported, []string{r.Origin}, "an ImageTagMirrorSet stands in the config of a NodePool")
			}
			if hosted {
				if entries[r.Object]++; entries[r.Object] == maxHostedItems+1 {
					refused(f.add(HostedUnsupported, []string{r.Origin}, "imageContentSources has more than %d entries", maxHostedItems))
				}
			}
			if hosted || cfg.Hosted {
				if n := len(r.Mirrors); n > maxHostedItems {
					refused(f.add(HostedUnsupported, []string{r.Origin}, "the source %s has %d mirrors, and imageContentSources takes %d", r.Source, n, maxHostedItems))
				}
				for _, name := range append([]policy.Mirror{{Location: r.Source}}, r.Mirrors...) {
					if n := len(name.Location); n > maxHostedName {
						refused(f.add(HostedUnsupported, []string{r.Origin}, "%.40s... has %d characters, and imageContentSources takes %d", name.Location, n, maxHostedName))
					}
				}
			}
			if !cfg.Hosted || r.Kind != policy.KindMirror {
				continue
			}
			switch {
			case r.Pull == policy.PullTag:
				f.add(HostedUnsupported, []string{r.Origin}, "the mirrors of %s are for tags, and imageContentSources are for digests", r.Source)
			case r.NeverContactSource:
				f.add(HostedUnsupported, []string{r.Origin}, "%s is not to be contacted, and imageContentSources has no word for that", r.Source)
			}
			if strings.HasPrefix(r.Source, "*.") {
				f.add(HostedUnsupported, []string{r.Origin}, "the source %s is a wildcard, which the lookups of HyperShift do not know", r.Source)
			}
		}
	}
	if !cfg.Hosted {
		return
	}
	total, last := 0, ""
	for _, p := range policies {
		for _, r := range p.Rules {
			if r.Kind == policy.KindMirror && r.Pull != policy.PullTag && !isHosted(kind(r.Object)) {
				total, last = total+1, r.Origin
			}
		}
	}
	if total > maxHostedItems {
		f.add(HostedUnsupported, []string{last}, "these are %d entries, and imageContentSources takes %d", total, maxHostedItems)
	}
}

// maxICSP is the size above which oc-mirror splits ImageContentSourcePolicies.
const maxICSP = 250_000

// checkSize finds objects that are too large for some tools.
func (f *findings) checkSize(policies []policy.Policy) {
	for _, p := range policies {
		size := make(map[*policy.Object]int)
		for _, r := range p.Rules {
			if r.Object == nil {
				continue
			}
			before := size[r.Object]
			after := before + len(r.Source) + 30
			for _, m := range r.Mirrors {
				after += len(m.Location) + 10
			}
			if size[r.Object] = after; before <= maxICSP && after > maxICSP {
				f.add(Size, []string{r.Origin}, "%s has more than %d bytes", r.Object, maxICSP)
			}
		}
	}
}

// checkCatalogs finds catalogs of operators that are pulled by tag and not mirrored for that.
// One that names a mirror itself needs none.
func (f *findings) checkCatalogs(policies []policy.Policy, rules *policy.Rules) {
	mirrors := make(map[string]bool) // registries
	count := 0
	for _, p := range policies {
		for _, r := range p.Rules {
			count++
			for _, m := range r.Mirrors {
				host, _, _ := strings.Cut(m.Location, "/")
				mirrors[host] = true
			}
		}
	}
	for _, p := range policies {
		for _, c := range p.Catalogs {
			candidates, err := rules.Candidates(c.Image)
			mirrored := slices.ContainsFunc(candidates, func(c policy.Candidate) bool { return c.Mirror })
			if err == nil && !mirrored && c.Image.Digest() == "" && count > 0 && !mirrors[c.Image.Registry()] {
				f.add(OperatorCoverage, []string{c.Origin}, "no policy mirrors the tag of the catalog %s", c.Image)
			}
		}
	}
}
