package convert

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/mirrorchain/mirrorchain/policy"
)

// loseScopes lists the scopes that are about more than mirrors.
func (w *writer) loseScopes() {
	for _, s := range w.rules.Blocked() {
		w.lose(s.Origin, "that nothing is pulled from %s", s.Name)
	}
	var mirrors []string
	for _, t := range w.tables() {
		for _, m := range slices.Concat(t.digests, t.tags) {
			mirrors = append(mirrors, m.Location)
		}
	}
	for _, s := range w.rules.Insecure() {
		if !slices.ContainsFunc(mirrors, func(m string) bool { return covers(s.Name, m) }) {
			w.lose(s.Origin, "that %s is insecure", s.Name)
		}
	}
}

// containerd's hosts.toml, as containerd documents it.
type hostsFile struct {
	server       string
	overridePath bool
	hosts        []hostEntry
}

type hostEntry struct {
	url  string
	body hostBody
}

type hostBody struct {
	Capabilities []string `toml:"capabilities"`
	OverridePath bool     `toml:"override_path,omitempty"`
	SkipVerify   bool     `toml:"skip_verify,omitempty"`
}

// hostsTOML writes a folder for each registry that is mirrored as a whole. containerd knows
// nothing smaller: below a registry, the whole repository is appended to a mirror's URL.
func (w *writer) hostsTOML() error {
	w.loseScopes()
	for _, t := range w.tables() {
		if len(t.digests)+len(t.tags) == 0 {
			continue
		}
		if strings.ContainsAny(t.Source, "/*") {
			w.lose(t.Origin, "the mirrors of %s: containerd mirrors whole registries only", t.Source)
			continue
		}
		data, err := w.hostsOf(t)
		if err != nil {
			return err
		}
		w.add(t.Source+"/hosts.toml", data)
	}
	return nil
}

func (w *writer) hostsOf(t table) ([]byte, error) {
	f := hostsFile{server: serverURL(t.Source)}
	for _, m := range t.digests {
		capabilities := []string{"pull"}
		if slices.Contains(t.tags, m) {
			capabilities = append(capabilities, "resolve")
		}
		f.add(m, capabilities)
	}
	for _, m := range t.tags {
		if !slices.Contains(t.digests, m) {
			w.lose(t.Origin, "the mirror %s of %s for tags: containerd has no mirrors for tags alone", m.Location, t.Source)
		}
	}
	if t.NeverContactSource && len(f.hosts) > 0 {
		last := f.hosts[len(f.hosts)-1]
		f.server, f.overridePath = last.url, last.body.OverridePath
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "server = %q\n", f.server)
	if f.overridePath {
		b.WriteString("override_path = true\n")
	}
	for _, h := range f.hosts { // in their order, which a map would not keep
		fmt.Fprintf(&b, "\n[host.%q]\n", h.url)
		if err := toml.NewEncoder(&b).Encode(h.body); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (f *hostsFile) add(m policy.Mirror, capabilities []string) {
	host, path, nested := strings.Cut(m.Location, "/")
	h := hostEntry{url: "https://" + host, body: hostBody{Capabilities: capabilities, SkipVerify: m.Insecure}}
	if nested {
		h.url, h.body.OverridePath = h.url+"/v2/"+path, true
	}
	f.hosts = append(f.hosts, h)
}

// serverURL returns where a registry itself is.
func serverURL(registry string) string {
	if registry == "docker.io" {
		registry = "registry-1.docker.io"
	}
	return "https://" + registry
}

// The registries.yaml of k3s and RKE2.
type k3sFile struct {
	Mirrors map[string]*k3sMirror `yaml:"mirrors"`
	Configs map[string]k3sConfig  `yaml:"configs,omitempty"`
}

type k3sMirror struct {
	Endpoint []string          `yaml:"endpoint"`
	Rewrite  map[string]string `yaml:"rewrite,omitempty"`

	sources []string // below the registry, "" for all of it
}

// overlaps reports whether source lies in one of m's sources, or around one.
func (m *k3sMirror) overlaps(source string) bool {
	return slices.ContainsFunc(m.sources, func(s string) bool {
		return s == "" || source == "" || covers(s, source) || covers(source, s)
	})
}

type k3sConfig struct {
	TLS struct {
		SkipVerify bool `yaml:"insecure_skip_verify"`
	} `yaml:"tls"`
}

// k3s writes registries.yaml. The rewrites of a registry are applied at all its endpoints, so
// its sources must have the same mirror registries, and one path at all of them.
func (w *writer) k3s() error {
	w.loseScopes()
	f := k3sFile{Mirrors: map[string]*k3sMirror{}, Configs: map[string]k3sConfig{}}
	for _, t := range w.tables() {
		mirrors := slices.Clone(t.digests)
		for _, m := range t.tags {
			if !slices.Contains(mirrors, m) {
				mirrors = append(mirrors, m)
			}
		}
		if len(mirrors) == 0 {
			continue
		}
		registry, source, _ := strings.Cut(t.Source, "/")
		endpoints, path, one := split(mirrors)
		m := f.Mirrors[registry]
		switch {
		case strings.HasPrefix(registry, "*"):
			w.lose(t.Origin, "the mirrors of the wildcard %s", t.Source)
			continue
		case !one:
			w.lose(t.Origin, "the mirrors of %s: they have different paths, and k3s has one for all endpoints", t.Source)
			continue
		case m != nil && m.overlaps(source):
			w.lose(t.Origin, "the mirrors of %s: it lies in another source or around it, and k3s has no order of rewrites", t.Source)
			continue
		case m != nil && !slices.Equal(m.Endpoint, endpoints):
			w.lose(t.Origin, "the mirrors of %s: another source of %s has other endpoints, and k3s has one list for all", t.Source, registry)
			continue
		case m == nil:
			m = &k3sMirror{Endpoint: endpoints, Rewrite: map[string]string{}}
			f.Mirrors[registry] = m
		}
		w.loseTerms(t)
		m.sources = append(m.sources, source)
		m.rewrite(source, path)
		for _, at := range mirrors {
			if at.Insecure {
				host, _, _ := strings.Cut(at.Location, "/")
				var c k3sConfig
				c.TLS.SkipVerify = true
				f.Configs[host] = c
			}
		}
	}
	data, err := encodeYAML(f)
	w.add("registries.yaml", data)
	return err
}

// loseTerms lists what registries.yaml does not say of a source.
func (w *writer) loseTerms(t table) {
	if t.NeverContactSource {
		w.lose(t.Origin, "that %s is not to be contacted: k3s has --disable-default-registry-endpoint for all registries", t.Source)
	}
	if !slices.Equal(t.digests, t.tags) {
		w.lose(t.Origin, "that mirrors of %s are for digests or for tags only", t.Source)
	}
	if strings.Contains(t.Source, "/") {
		registry, _, _ := strings.Cut(t.Source, "/")
		w.lose(t.Origin, "that %s alone is mirrored: all of %s is asked for at these endpoints first", t.Source, registry)
	}
}

// rewrite maps the repositories of a source, at all of its registry, to those at the mirrors.
func (m *k3sMirror) rewrite(source, path string) {
	switch {
	case source == path:
	case source == "":
		m.Rewrite["^(.*)$"] = path + "/$1"
	case path == "":
		m.Rewrite["^"+regexp.QuoteMeta(source)+"/(.*)$"] = "$1"
	default:
		m.Rewrite["^"+regexp.QuoteMeta(source)+"(/.*)?$"] = path + "$1"
	}
}

// split returns the registries of mirrors and the one path at all of them.
func split(mirrors []policy.Mirror) (endpoints []string, path string, one bool) {
	for i, m := range mirrors {
		registry, p, _ := strings.Cut(m.Location, "/")
		if i > 0 && p != path {
			return nil, "", false
		}
		path = p
		if e := "https://" + registry; !slices.Contains(endpoints, e) {
			endpoints = append(endpoints, e)
		}
	}
	return endpoints, path, true
}
