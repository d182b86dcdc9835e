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

// How long a lease lasts: as in HyperShift (support/config/constants.go, recommended by
// OpenShift), so that an API server which is away for less ends no operator, and an idle
// operator writes seldom.
const (
	leaseDuration = 60 * time.Second
	renewDeadline = 40 * time.Second
	// writeLease is how often the holder writes.
	writeLease = 13 * time.Second
	// lookAtLease is how often a replica that waits reads it: so soon it follows one that
	// ended on SIGTERM and gave its lease back.
	lookAtLease = time.Second
)

// lease is a lock whose holder is asked every [lookAtLease] to renew it and does so every
// [writeLease]. client-go has one period for both. The holder gives up, at the latest,
// writeLease and renewDeadline after it last wrote, which is less than leaseDuration, when
// another may take over. It is safe for concurrent use.
type lease struct {
	resourcelock.Interface
	now func() time.Time

	mu      sync.Mutex
	written resourcelock.LeaderElectionRecord // last, by this process
	at      time.Time                         // when the request began that wrote it
}

// newLease returns the lease of that name.
func newLease(cfg *rest.Config, namespace, name string) (*lease, *resourcelock.LeaseLock, error) {
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
	return &lease{Interface: lock, now: time.Now}, lock, nil
}

// Create creates the lease.
func (l *lease) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, r, l.Interface.Create)
}

// Update writes r, unless this process holds the lease and wrote it a moment ago.
func (l *lease) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	recent := r.HolderIdentity != "" && r.HolderIdentity == l.written.HolderIdentity &&
		r.LeaderTransitions == l.written.LeaderTransitions && l.now().Sub(l.at) < writeLease
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
	return l.written.HolderIdentity == l.Identity() && l.now().Sub(l.at) < leaseDuration
}
