package hostedcluster

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Lookups are the chains that HostedClusters are looked up through: one for all that
// trust whom the operator trusts, and one for each additional CA bundle. Chains share
// nothing, neither connections nor what they remember nor how hosts are doing, so what
// was believed on the word of one bundle is never told to who does not trust it.
// HostedClusters with the same bundle share one. It is safe for concurrent use; Close it.
type Lookups struct {
	cfg     registry.Config
	current func() *policy.Rules
	deps    assembly.Deps
	asked   *operator.Signatures // which are asked for, nil for none
	shared  *lookups

	mu    sync.Mutex
	own   map[[sha256.Size]byte]*lookups
	clock uint64 // counts uses
}

// Bounds of the chains for additional CA bundles: how many are kept, and how many bytes
// the cache and the store of each may hold. A release takes some 160 kB. With more
// bundles in use than are kept some releases are read again; nothing else.
const (
	maxBundles  = 32
	bundleBytes = 4 << 20
)

// lookups is one chain.
type lookups struct {
	releases *chain.Chain
	images   provider.ImageProvider
	base     *registry.Provider
	hosts    *health.Health
	verifier func(namespace string) provider.Verifier // nil: no signature is asked for
	trust    string                                   // what of its bundle is not trusted; "" if nothing

	users    int // that have not called done; with last guarded by Lookups.mu
	lastUsed uint64
}

// NewLookups makes chains with the layers of the operator's row, over registries that
// are read as cfg says. current are the rules to look up with. asked are the signatures that
// releases need, nil for none.
func NewLookups(cfg registry.Config, current func() *policy.Rules, deps assembly.Deps, asked *operator.Signatures) (*Lookups, error) {
	l := &Lookups{cfg: cfg, current: current, deps: deps, asked: asked, own: map[[sha256.Size]byte]*lookups{}}
	var err error
	l.shared, err = l.make(cfg, deps, nil)
	return l, err
}

// make makes a chain. operator reads with the operator's credentials for mirrors, nil for what
// reads all.
func (l *Lookups) make(cfg registry.Config, deps assembly.Deps, operator *registry.Provider) (*lookups, error) {
	all, err := registry.New(cfg)
	if err != nil {
		return nil, err
	}
	out := &lookups{base: all, hosts: health.New(health.Config{})}
	base := &apart{all, cmp.Or(operator, all)}
	deps.Health = out.hosts
	if out.verifier = l.asked.Verifier(base); out.verifier != nil {
		deps.Verify = func() provider.Verifier { return out.verifier("") }
	}
	if out.releases, err = chain.New(base, l.current, assembly.HypershiftOperator(deps).Layers...); err == nil {
		images := deps.Images()
		images.MaxRetryAfter = assembly.OperatorRetryAfter
		out.images, err = chain.Images(base, l.current, images)
	}
	if err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return out, nil
}

// Hosts returns the registry hosts that any of the chains knows of, each in the best state
// that a chain knows: a bundle that does not trust a host says nothing of the host.
func (l *Lookups) Hosts() []health.Host {
	l.mu.Lock()
	all := []*lookups{l.shared}
	for _, x := range l.own {
		all = append(all, x)
	}
	l.mu.Unlock()
	best := map[string]health.Host{}
	for _, x := range all {
		for _, h := range x.hosts.Hosts() {
			if b, ok := best[h.Name]; !ok || h.State < b.State {
				best[h.Name] = h
			}
		}
	}
	return slices.Collect(maps.Values(best))
}

// verifierFor returns the verifier of what runs in a namespace; nil where no signature is
// asked for, or nothing can be verified yet.
func (x *lookups) verifierFor(namespace string) provider.Verifier {
	if x.verifier == nil {
		return nil
	}
	return x.verifier(namespace)
}

// verifierID identifies the signatures that are asked for of what runs in a namespace, ""
// for none.
func (l *Lookups) verifierID(namespace string) string {
	if v := l.shared.verifierFor(namespace); v != nil {
		return v.ID()
	}
	return ""
}

// String describes the chain.
func (l *Lookups) String() string { return l.shared.releases.String() }

// For returns the chain that trusts the certificates of bundle, in PEM, beside those that
// the operator trusts. The caller calls done once, when it does not use the chain any
// more; done is never nil. An error is about bundle.
func (l *Lookups) For(bundle string) (use *lookups, done func(), err error) {
	if bundle == "" {
		return l.shared, func() {}, nil
	}
	key := sha256.Sum256([]byte(bundle))
	if use = l.known(key); use == nil {
		certs, err := trust.ParseBundle([]byte(bundle))
		if err != nil {
			return nil, func() {}, err
		}
		deps := l.deps
		deps.MaxBytes = bundleBytes
		made, err := l.make(trusting(l.cfg, func() trust.Bundle { return certs }), deps, l.shared.base)
		if err != nil {
			return nil, func() {}, err
		}
		made.trust = certs.Warning()
		use = l.keep(key, made)
	}
	return use, sync.OnceFunc(func() { l.done(use) }), nil
}

func (l *Lookups) known(key [sha256.Size]byte) *lookups {
	l.mu.Lock()
	defer l.mu.Unlock()
	use := l.own[key]
	if use != nil {
		l.use(use)
	}
	return use
}

// use counts a use, with l.mu held.
func (l *Lookups) use(x *lookups) {
	l.clock++
	x.users, x.lastUsed = x.users+1, l.clock
}

// keep keeps made, or returns what another goroutine kept meanwhile.
func (l *Lookups) keep(key [sha256.Size]byte, made *lookups) *lookups {
	l.mu.Lock()
	use := l.own[key]
	if use == nil {
		use, made = made, nil
		l.own[key] = use
	}
	l.use(use)
	l.mu.Unlock()
	if made != nil {
		_ = made.base.Close() // it was never used
	}
	return use
}

// done ends a use of x. Where there are too many chains it closes the one that was not
// used for the longest time. Chains in use are kept, so for a while there may be more.
func (l *Lookups) done(x *lookups) {
	l.mu.Lock()
	x.users--
	var old *lookups
	if len(l.own) > maxBundles {
		var key [sha256.Size]byte
		for k, o := range l.own {
			if o.users == 0 && (old == nil || o.lastUsed < old.lastUsed) {
				key, old = k, o
			}
		}
		if old != nil {
			delete(l.own, key)
		}
	}
	l.mu.Unlock()
	if old != nil {
		_ = old.base.Close() // of connections; there is nobody to tell
	}
}

// Close ends what runs in the background and closes connections.
func (l *Lookups) Close() error {
	err := l.shared.base.Close()
	l.mu.Lock()
	own := l.own
	l.own = map[[sha256.Size]byte]*lookups{}
	l.mu.Unlock()
	for _, x := range own {
		err = errors.Join(err, x.base.Close())
	}
	return err
}

// trusting returns cfg with the certificates of bundle, as it is when a registry is asked,
// trusted as well, for registries with authorities of their own too.
func trusting(cfg registry.Config, bundle func() trust.Bundle) registry.Config {
	ask, base := cfg.TLS, cfg.RootCAs
	cfg.TLS = func(name string) (t registry.TLS, err error) {
		if ask != nil {
			if t, err = ask(name); err != nil {
				return t, err
			}
		}
		b := bundle()
		if len(b.Certificates) == 0 {
			return t, nil
		}
		return b.Beside(t, base)
	}
	return cfg
}
