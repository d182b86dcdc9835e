package registry

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// endpoint is one host with its connections and what is known about how it
// authenticates. An insecure one shares nothing with a secure one of its name, nor does a
// guarded one with one that is not.
type endpoint struct {
	registry string
	guarded  bool
	host     *wire.Host
	auth     *auth.Memory
	tls      TLS

	// headless is set once the host denied by HEAD what it has by GET.
	headless atomic.Bool

	checked time.Time // when tls was last asked for; guarded by endpoints.mu
	used    time.Time // guarded by endpoints.mu
}

type endpointKey struct {
	registry string
	insecure bool
	guarded  bool   // [Config].RefuseNetworks holds
	from     string // the registry whose roots are trusted too, "" for none
}

// endpoints are the hosts in use.
type endpoints struct {
	cfg        Config
	background *auth.Background

	mu  sync.Mutex
	all map[endpointKey]*endpoint
}

const (
	tlsAge       = time.Minute // how long an answer of Config.TLS is used
	untrustedAge = time.Second // the same where the host was not trusted by it
	maxEndpoints = 512
)

// get returns the endpoint of a registry. byPolicy is [provider.Request].ByPolicy.
func (es *endpoints) get(registry string, insecure, byPolicy bool) (*endpoint, error) {
	guarded := len(es.cfg.RefuseNetworks) > 0 && !byPolicy
	return es.find(endpointKey{registry: registry, insecure: insecure, guarded: guarded})
}

// ledTo returns the endpoint of a host that a registry leads to: a token realm, or the store
// of its blobs. Where nothing is said about that host itself, the roots of the registry
// are trusted, as nodes do. Its client certificate stays where it belongs.
func (es *endpoints) ledTo(host string, from *endpoint, insecure bool) (*endpoint, error) {
	key := endpointKey{registry: host, insecure: insecure, guarded: from.guarded}
	if from.tls.RootCAs != nil && !from.tls.Shared && host != from.registry {
		key.from = from.registry
	}
	return es.find(key)
}

func (es *endpoints) find(key endpointKey) (*endpoint, error) {
	now := time.Now()
	es.mu.Lock()
	old := es.all[key]
	if old != nil {
		old.used = now
		age := tlsAge
		if old.host.Untrusted() { // its authority may have been added since
			age = untrustedAge
		}
		if now.Sub(old.checked) < age {
			es.mu.Unlock()
			return old, nil
		}
		old.checked = now // the others need not ask as well
	}
	es.mu.Unlock()

	t, err := es.trust(key)
	switch {
	case err != nil && old != nil:
		return old, nil
	case err != nil:
		return nil, &provider.Error{Op: "reading what to trust", Class: provider.ClassTLS, Err: fmt.Errorf("%s: %w", key.registry, err)}
	}
	e, gone := es.put(key, t, now)
	for _, g := range gone { // what it has to say to its connections may take a while
		g.host.CloseIdleConnections()
	}
	return e, nil
}

// trust returns the certificates and roots for a host. It may read files.
func (es *endpoints) trust(key endpointKey) (TLS, error) {
	if es.cfg.TLS == nil {
		return TLS{}, nil
	}
	t, err := es.cfg.TLS(key.registry)
	if err != nil || key.from == "" || t.RootCAs != nil && !t.Shared {
		return t, err
	}
	registry, err := es.cfg.TLS(key.from)
	t.RootCAs, t.Shared = registry.RootCAs, registry.Shared
	t.Unread = cmp.Or(t.Unread, registry.Unread)
	return t, err
}

// put makes an endpoint, unless there is one that is as good, and returns those
// that are no longer remembered.
func (es *endpoints) put(key endpointKey, t TLS, now time.Time) (e *endpoint, gone []*endpoint) {
	es.mu.Lock()
	defer es.mu.Unlock()
	old := es.all[key]
	switch {
	case old != nil && old.tls.equal(t):
		return old, nil
	case old != nil:
		gone = append(gone, old)
	case len(es.all) >= maxEndpoints:
		gone = append(gone, es.forget())
	}
	e = es.make(key, t, now)
	es.all[key] = e
	return e, gone
}

func (es *endpoints) make(key endpointKey, t TLS, now time.Time) *endpoint {
	c := es.cfg
	var observe func(wire.Exchange)
	if c.Observe != nil {
		observe = func(x wire.Exchange) { c.Observe(Exchange(x)) }
	}
	var refuse []netip.Prefix
	if key.guarded {
		refuse = c.RefuseNetworks
	}
	h := wire.NewHost(wire.Config{
		Address: address(key.registry), Insecure: key.insecure,
		TLS: t.config(c.RootCAs, key.insecure), Unread: t.Unread,
		Proxy: c.Proxy, Dial: c.Dial, Lookup: c.Lookup, UserAgent: c.UserAgent, Timeouts: wire.Timeouts(c.Timeouts),
		Observe: observe, Refuse: refuse, HideElsewhere: c.HideElsewhere,
	})
	e := &endpoint{registry: key.registry, guarded: key.guarded, host: h, tls: t, checked: now, used: now}
	e.auth = auth.NewMemory(auth.Config{
		Host: h, Background: es.background, Insecure: c.Insecure,
		Realm: func(address string, insecure bool) (*wire.Host, error) {
			realm, err := es.ledTo(address, e, insecure)
			if err != nil {
				return nil, err
			}
			return realm.host, nil
		},
	})
	return e
}

// address returns the host that serves a registry.
func address(registry string) string {
	if registry == "docker.io" || registry == "index.docker.io" {
		return "registry-1.docker.io"
	}
	return registry
}

// forget forgets the least recently used. It is called with mu held.
func (es *endpoints) forget() *endpoint {
	var key endpointKey
	var oldest *endpoint
	for k, e := range es.all {
		if oldest == nil || e.used.Before(oldest.used) {
			key, oldest = k, e
		}
	}
	delete(es.all, key)
	return oldest
}

func (es *endpoints) closeIdle() {
	es.mu.Lock()
	all := slices.Collect(maps.Values(es.all))
	es.mu.Unlock()
	for _, e := range all {
		e.host.CloseIdleConnections()
	}
}
