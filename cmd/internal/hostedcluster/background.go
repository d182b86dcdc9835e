package hostedcluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Bounds of lookups. Tenants choose the registries, which may take as long as they can.
const (
	// lookupsPerNamespace and lookupsPerHost are how many are under way at once for the
	// HostedClusters of a namespace, and of releases that name one registry host. The others
	// wait, in order, and hold nobody else up.
	lookupsPerNamespace = 100
	lookupsPerHost      = 20
	// lookupGrace is how long a worker waits for a lookup: one that needs no network is done
	// by then.
	lookupGrace = 5 * time.Millisecond
)

// errLookupPending says that a lookup is under way, and brings the HostedCluster back.
var errLookupPending = errors.New("the release is being looked up")

// lookupFunc looks up. It ends early with ctx.
type lookupFunc func(ctx context.Context) (found, error)

// background runs lookups beside the workers, one for each HostedCluster. It is safe for
// concurrent use.
type background struct {
	wake  chan event.GenericEvent // HostedClusters whose lookup is done
	ctx   context.Context
	end   context.CancelFunc
	group sync.WaitGroup
	grace time.Duration // lookupGrace

	namespaces, hosts bounds

	mu  sync.Mutex
	all map[client.ObjectKey]*pending
}

// pending is one lookup. id says of what.
type pending struct {
	id     string
	cancel context.CancelFunc
	done   chan struct{}
	found  found // once done is closed, with err
	err    error
	wanted bool // somebody was told to come back; guarded by background.mu
}

func newBackground() *background {
	b := &background{
		wake: make(chan event.GenericEvent), grace: lookupGrace, all: map[client.ObjectKey]*pending{},
		namespaces: bounds{each: lookupsPerNamespace}, hosts: bounds{each: lookupsPerHost},
	}
	b.ctx, b.end = context.WithCancel(context.Background())
	return b
}

// Start ends all lookups with ctx. None starts after that, although workers may still run.
func (b *background) Start(ctx context.Context) error {
	<-ctx.Done()
	b.mu.Lock()
	b.end()
	b.mu.Unlock()
	b.group.Wait()
	return nil
}

// get returns what came of the lookup id of a HostedCluster, once. Where there is no such
// lookup it starts one, instead of any other of that HostedCluster. While it is under way
// it is an errLookupPending.
func (b *background) get(ctx context.Context, name client.ObjectKey, id, host string, look lookupFunc) (found, error) {
	b.mu.Lock()
	p := b.all[name]
	if p == nil || p.id != id {
		if p != nil {
			p.cancel()
		}
		p = b.start(name, id, host, look)
	}
	b.mu.Unlock()
	grace := time.NewTimer(b.grace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-ctx.Done():
	case <-grace.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-p.done:
	default:
		p.wanted = true
		return found{}, errLookupPending
	}
	if b.all[name] == p {
		delete(b.all, name)
	}
	return p.found, p.err
}

// start starts a lookup, with b.mu held.
func (b *background) start(name client.ObjectKey, id, host string, look lookupFunc) *pending {
	ctx, cancel := context.WithCancel(b.ctx)
	p := &pending{id: id, cancel: cancel, done: make(chan struct{})}
	b.all[name] = p
	if err := ctx.Err(); err != nil { // Start waits for the group, or has returned
		p.err = err
		close(p.done)
		return p
	}
	b.group.Go(func() {
		defer cancel()
		f, err := b.bounded(ctx, name.Namespace, host, look)
		b.mu.Lock()
		p.found, p.err = f, err
		close(p.done)
		wake := p.wanted && b.all[name] == p // else another lookup is in its place
		b.mu.Unlock()
		if !wake {
			return
		}
		select {
		case b.wake <- event.GenericEvent{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}}:
		case <-b.ctx.Done():
		}
	})
	return p
}

func (b *background) bounded(ctx context.Context, namespace, host string, look lookupFunc) (found, error) {
	for _, slot := range []struct {
		of   *bounds
		name string
	}{{&b.hosts, host}, {&b.namespaces, namespace}} { // who waits for a host takes nothing from the namespace
		leave, err := slot.of.enter(ctx, slot.name)
		if err != nil {
			return found{}, err
		}
		defer leave()
	}
	return look(ctx)
}

// forget ends the lookup of a HostedCluster that is no more.
func (b *background) forget(name client.ObjectKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.all[name]; p != nil {
		p.cancel()
		delete(b.all, name)
	}
}

// has reports whether there is a lookup of a HostedCluster.
func (b *background) has(name client.ObjectKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[name] != nil
}

// bounds lets a number of those with one name in at once, and the others wait in order.
type bounds struct {
	each int64
	mu   sync.Mutex
	of   map[string]*bound
}

type bound struct {
	*semaphore.Weighted
	users int // in and waiting
}

// enter waits until there is room. leave makes room again; call it once.
func (b *bounds) enter(ctx context.Context, name string) (leave func(), err error) {
	b.mu.Lock()
	one := b.of[name]
	if one == nil {
		if b.of == nil {
			b.of = map[string]*bound{}
		}
		one = &bound{Weighted: semaphore.NewWeighted(b.each)}
		b.of[name] = one
	}
	one.users++
	b.mu.Unlock()
	gone := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(b.of, name)
		}
	}
	if err := one.Acquire(ctx, 1); err != nil {
		gone()
		return nil, err
	}
	return func() { one.Release(1); gone() }, nil
}

// lookupLimiter is a rate limiter that does not take a lookup which has begun for a
// success: the waits after failures go on growing.
type lookupLimiter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
	pending func(client.ObjectKey) bool
}

// Forget says that item was a success.
func (l lookupLimiter) Forget(item reconcile.Request) {
	if !l.pending(item.NamespacedName) {
		l.TypedRateLimiter.Forget(item)
	}
}
