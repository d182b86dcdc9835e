package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// endpoint is one host with its connections and what is known about how it
// authenticates. An insecure one shares nothing with a secure one of its name.
type endpoint struct {
	host *wire.Host
	auth *auth.Memory
	tls  TLS

	checked time.Time // when tls was last asked for; guarded by endpoints.mu
	used    time.Time // guarded by endpoints.mu
}

type endpointKey struct {
	registry string
	insecure bool
}

// endpoints are the hosts in use.
type endpoints struct {
	cfg     Config
	base    context.Context
	running *sync.WaitGroup

	mu  sync.Mutex
	all map[endpointKey]*endpoint
}

const (
	tlsAge       = time.Minute // how long an answer of Config.TLS is used
	maxEndpoints = 512
)

// get is the endpoint of a registry, or of another host by its address.
func (es *endpoints) get(registry string, insecure bool) (*endpoint, error) {
	key := endpointKey{registry, insecure}
	now := time.Now()
	es.mu.Lock()
	old := es.all[key]
	if old != nil {
		old.used = now
		if now.Sub(old.checked) < tlsAge {
			es.mu.Unlock()
			return old, nil
		}
		old.checked = now // the others need not ask as well
	}
	es.mu.Unlock()

	var t TLS
	if es.cfg.TLS != nil {
		var err error
		switch t, err = es.cfg.TLS(registry); {
		case err != nil && old != nil:
			return old, nil
		case err != nil:
			return nil, &provider.Error{Op: "reading what to trust", Class: provider.ClassTLS, Err: fmt.Errorf("%s: %w", registry, err)}
		}
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	if now := es.all[key]; now != nil && now.tls.equal(t) {
		return now, nil
	}
	e := es.make(key, t, now)
	if replaced := es.all[key]; replaced != nil {
		defer replaced.host.CloseIdleConnections()
	}
	es.evict()
	es.all[key] = e
	return e, nil
}

func (es *endpoints) make(key endpointKey, t TLS, now time.Time) *endpoint {
	c := es.cfg
	h := wire.NewHost(wire.Config{
		Address: address(key.registry), Insecure: key.insecure,
		TLS:   t.config(c.RootCAs, key.insecure),
		Proxy: c.Proxy, Dial: c.Dial, UserAgent: c.UserAgent, Timeouts: wire.Timeouts(c.Timeouts),
	})
	return &endpoint{
		host: h, tls: t, checked: now, used: now,
		auth: auth.NewMemory(auth.Config{
			Host: h, Base: es.base, Running: es.running,
			Realm: func(address string, insecure bool) (*wire.Host, error) {
				e, err := es.get(address, insecure)
				if err != nil {
					return nil, err
				}
				return e.host, nil
			},
		}),
	}
}

// address is where a registry really is.
func address(registry string) string {
	if registry == "docker.io" || registry == "index.docker.io" {
		return "registry-1.docker.io"
	}
	return registry
}

// evict makes room for one. It is called with mu held.
func (es *endpoints) evict() {
	if len(es.all) < maxEndpoints {
		return
	}
	var oldest endpointKey
	var at time.Time
	for k, e := range es.all {
		if at.IsZero() || e.used.Before(at) {
			oldest, at = k, e.used
		}
	}
	es.all[oldest].host.CloseIdleConnections()
	delete(es.all, oldest)
}

func (es *endpoints) closeIdle() {
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, e := range es.all {
		e.host.CloseIdleConnections()
	}
}
