package operator

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	// leaseDuration is how long a lease lasts: as in HyperShift (support/config/constants.go,
	// recommended by OpenShift), so that an API server which is away for less ends no
	// operator, and an idle operator writes seldom.
	leaseDuration = 60 * time.Second
	// lookAtLease is how often a replica that waits reads it: so soon it follows one that
	// ended on SIGTERM and gave its lease back.
	lookAtLease = time.Second
)

// terms are the times of a lease.
type terms struct {
	duration time.Duration // after which another replica may take over
	deadline time.Duration // after which a holder that cannot renew it gives up
	write    time.Duration // how often the holder renews it
}

// termsOf returns the terms of a lease that lasts so long: with [leaseDuration], a
// deadline of 40 s and a write every 13 s.
func termsOf(duration time.Duration) terms {
	return terms{duration: duration, deadline: duration * 2 / 3, write: duration * 13 / 60}
}

// lease is a lock whose holder is asked every [lookAtLease] to renew it and does so every
// terms.write. client-go has one period for both. The holder gives up, at the latest,
// write and deadline after it last wrote, which is less than duration, when another may
// take over. It is safe for concurrent use.
type lease struct {
	resourcelock.Interface
	terms
	now func() time.Time

	mu      sync.Mutex
	written resourcelock.LeaderElectionRecord // last, by this process
	at      time.Time                         // when the request began that wrote it
}

// newLease returns the lease of that name, which lasts so long.
func newLease(cfg *rest.Config, namespace, name string, duration time.Duration) (*lease, *resourcelock.LeaseLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, err
	}
	cfg = rest.AddUserAgent(cfg, "leader-election")
	cfg.Timeout = 5 * time.Second // of a request, so that one that hangs does not end the operator
	client, err := coordinationv1client.NewForConfig(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("the lease %s/%s: %w", namespace, name, err)
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}
	return &lease{Interface: lock, terms: termsOf(duration), now: time.Now}, lock, nil
}

// Create creates the lease.
func (l *lease) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, r, l.Interface.Create)
}

// Update writes r, unless this process holds the lease and wrote it a moment ago.
func (l *lease) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	recent := r.HolderIdentity != "" && r.HolderIdentity == l.written.HolderIdentity &&
		r.LeaderTransitions == l.written.LeaderTransitions && l.since() < l.terms.write
	l.mu.Unlock()
	if recent {
		return nil
	}
	return l.write(ctx, r, l.Interface.Update)
}

func (l *lease) write(ctx context.Context, r resourcelock.LeaderElectionRecord, do func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	at := l.now()
	if err := do(ctx, r); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written, l.at = r, at
	return nil
}

// holding reports whether nobody else can have taken the lease: it was written less than its
// duration ago. A process that was frozen learns here that it is late.
func (l *lease) holding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.HolderIdentity == l.Identity() && l.since() < l.duration
}

// since returns how long ago the lease was written, with l.mu held: by the clock that only
// runs forward, or by the time of day where that is more. The first stands still while a
// virtual machine is suspended.
func (l *lease) since() time.Duration {
	now := l.now()
	return max(now.Sub(l.at), now.Round(0).Sub(l.at.Round(0)))
}
