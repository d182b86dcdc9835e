package policy

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Forbids reports whether policy forbids a request to an address that a server names, such
// as the target of a redirect or a token realm. It also returns the scope that forbids it.
// So a permitted candidate cannot lead a request to a place that [Rules.Candidates] leaves
// out.
//
// If the path is one of /v2/, the repository in it is checked like a candidate. Any other
// address, and one that can be read in two ways, is forbidden if the host or any part
// of it is blocked, because it is not known which part would answer. from is the host that
// the request may ask already, "" for none. On that host only blocked repositories are
// forbidden: otherwise a registry with one blocked repository could not issue tokens
// for the others.
//
// Hosts are compared by the address that would be dialled, not by how they are written.
// These make no difference: the case of letters, a final dot, zeros before a port, whether
// a port 80 or 443 is written, how an IP address is written, an IPv4 address within IPv6,
// and an IPv6 zone.
func (r *Rules) Forbids(to *url.URL, from string) (by Scope, forbidden bool) {
	r = r.orNone()
	if len(r.blockedHosts.within) == 0 {
		return Scope{}, false
	}
	host := hostOf(to.Host)
	if len(host) > maxSource {
		return Scope{}, false // no registry; nothing covers it
	}
	clean := path.Clean("/" + to.Path)
	named := false
	if rest, ok := strings.CutPrefix(clean, "/v2/"); ok {
		name := ""
		for _, kind := range []string{"/manifests/", "/blobs/"} {
			if i := strings.LastIndex(rest, kind); i > 0 {
				name, named = rest[:i], clean == to.Path
			}
		}
		if name != "" {
			if by, forbidden = r.blockedHosts.forbids(host, "/"+name); forbidden {
				return by, true
			}
		}
	}
	if named || host == hostOf(from) {
		return Scope{}, false
	}
	if by, forbidden = r.blockedHosts.forbids(host, ""); forbidden {
		return by, true
	}
	by, forbidden = r.blockedHosts.within[host]
	return by, forbidden
}

// ForbidsLocation reports whether policy blocks a location: a registry, a namespace, a
// repository or a wildcard. It also returns the scope that blocks it. The most specific
// source decides, as for an image at this location. Hosts are compared as [Rules.Forbids]
// does.
//
// A program uses it for rules that it trusts less, such as those of a tenant: they must not
// name mirrors that these rules block.
func (r *Rules) ForbidsLocation(location string) (by Scope, forbidden bool) {
	r = r.orNone()
	location = strings.TrimRight(location, "/")
	if location == "" || len(location) > maxSource || len(r.blockedHosts.within) == 0 {
		return Scope{}, false
	}
	host, rest, _ := strings.Cut(location, "/")
	if c := r.index.lookupNth(location, len(host), 0); c != nil && c.blocked {
		return c.blockedBy, true
	}
	if rest != "" {
		rest = "/" + rest
	}
	return r.blockedHosts.forbids(hostOf(host), rest)
}

// InsecureHost reports whether policy calls a host itself insecure, and not only some
// repository on it. It is for hosts that a registry leads to, such as a token realm.
func (r *Rules) InsecureHost(host string) bool {
	host = strings.ToLower(host)
	if len(host) > maxSource {
		return false
	}
	c := r.orNone().index.lookupNth(host, len(host), 0)
	return c != nil && c.insecure && !c.isMoved()
}

// blockedHosts answers [Rules.Forbids].
type blockedHosts struct {
	// within are the hosts of which anything is blocked, each with the first scope
	// that does it.
	within map[string]Scope
	// index has the entries of these hosts, their names written in one way.
	index *index
}

func newBlockedHosts(entries []*table) (blockedHosts, error) {
	b := blockedHosts{within: make(map[string]Scope)}
	wild := false
	for _, e := range entries {
		if !e.blocked {
			continue
		}
		wild = wild || isWildcard(e.prefix)
		host, _, _ := strings.Cut(e.prefix, "/")
		if host = hostOf(host); b.within[host] == (Scope{}) {
			b.within[host] = e.blockedBy
		}
	}
	if len(b.within) == 0 {
		return b, nil
	}
	var same []*table
	byName := make(map[string]*table)
	for _, e := range entries {
		host, rest, _ := strings.Cut(e.prefix, "/")
		if _, ok := b.within[hostOf(host)]; !ok && !wild {
			continue
		}
		name, port := splitHost(host)
		c := &table{prefix: name + port, blocked: e.blocked, blockedBy: e.blockedBy}
		if rest != "" {
			c.prefix += "/" + rest
		}
		old := byName[c.prefix]
		switch {
		case old == nil:
			byName[c.prefix] = c
			same = append(same, c)
		case !old.blocked: // two ways to write one name: what is blocked is blocked
			old.blocked, old.blockedBy = c.blocked, c.blockedBy
		}
	}
	var err error
	b.index, err = newIndex(same)
	return b, err
}

// forbids looks host and rest, "" or a path, up as nodes do.
func (b blockedHosts) forbids(host, rest string) (Scope, bool) {
	for i, h := range aliases(host) {
		name := h + rest
		for len(name) > maxSource-1 { // what is longer covers nothing
			end := strings.LastIndexByte(name, '/')
			if end < len(h) {
				return Scope{}, false
			}
			name = name[:end]
		}
		c := b.index.lookupNth(name, len(h), 0)
		// Without the port it has been looked up before.
		if c != nil && c.blocked && (i == 0 || strings.HasPrefix(c.prefix, h)) {
			return c.blockedBy, true
		}
	}
	return Scope{}, false
}

// hostOf returns host as hosts are compared: without a port that is HTTP's own.
func hostOf(host string) string {
	name, port := splitHost(host)
	switch port {
	case ":80", ":443":
		port = ""
	}
	return name + port
}

// splitHost writes a host in the one way in which hosts are compared, and its port,
// with the colon, "" where there is none.
func splitHost(host string) (name, port string) {
	name = strings.ToLower(host)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name, port = name[:i], ":"+strings.TrimLeft(name[i+1:], "0")
	}
	if port == ":" {
		port = ""
	}
	name = strings.TrimRight(name, ".")
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); err == nil {
		name = addressName(a)
	}
	switch name {
	case "registry-1.docker.io", "index.docker.io":
		name = "docker.io" // the same registry
	}
	return name, port
}

// nat64 are IPv4 addresses as IPv6 networks reach them (RFC 6052, 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// addressName returns an IP address as it stands in a host.
func addressName(a netip.Addr) string {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}

// aliases returns the names that scopes may have for what hostOf makes host.
func aliases(host string) []string {
	all := []string{host}
	if strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
		all = append(all, host+":443", host+":80")
	}
	return all
}
