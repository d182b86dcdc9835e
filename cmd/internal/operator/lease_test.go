package operator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memoryServer has one lease in memory, and counts how often it is written.
type memoryServer struct {
	mu     sync.Mutex
	record resourcelock.LeaderElectionRecord
	writes int
	away   bool
}

func (s *memoryServer) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *memoryServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// memoryLock is that lease as one replica sees it.
type memoryLock struct {
	identity string
	*memoryServer
}

func (m *memoryLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, nil, errors.New("away")
	}
	r := m.record
	return &r, []byte(r.HolderIdentity + r.RenewTime.String()), nil
}

func (m *memoryLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return m.Update(ctx, r)
}

func (m *memoryLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errors.New("away")
	}
	m.writes++
	m.record = r
	return nil
}

func (m *memoryLock) RecordEvent(string) {}
func (m *memoryLock) Identity() string   { return m.identity }
func (m *memoryLock) Describe() string   { return "memory" }

func elect(t *testing.T, lock resourcelock.Interface, started, stopped func()) *leaderelection.LeaderElector {
	t.Helper()
	e, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: termsOf(leaseDuration).deadline, RetryPeriod: lookAtLease, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { started() }, OnStoppedLeading: stopped},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The holder writes seldom, one that waits follows soon after SIGTERM, and after an API
// server was away for less than the lease lasts nobody else is active.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(memoryServer)
		firstActive, secondActive := make(chan struct{}), make(chan struct{})
		leases := []*lease{
			{Interface: &memoryLock{"first", server}, terms: termsOf(leaseDuration), now: time.Now},
			{Interface: &memoryLock{"second", server}, terms: termsOf(leaseDuration), now: time.Now},
		}
		active := func(c chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		ctx, terminate := context.WithCancel(t.Context())
		defer terminate()
		ended := make(chan struct{})
		first := elect(t, leases[0], func() { close(firstActive) }, func() {})
		go func() { first.Run(ctx); close(ended) }()
		synctest.Wait()
		second := elect(t, leases[1], func() { close(secondActive) }, func() {})
		done := make(chan struct{})
		others, end := context.WithCancel(t.Context())
		go func() { second.Run(others); close(done) }()
		time.Sleep(5 * time.Minute)
		if n := server.count(); n > 24 || n < 20 {
			t.Errorf("wrote %d times in 5 minutes", n)
		}
		if !active(firstActive) || active(secondActive) || !leases[0].holding() || leases[1].holding() {
			t.Fatal("the first is not the active one")
		}
		server.setAway(true)
		time.Sleep(30 * time.Second)
		if !leases[0].holding() || first.IsLeader() != true {
			t.Error("an API server that was away for 30 s ended the active one")
		}
		server.setAway(false)
		time.Sleep(time.Minute)
		select {
		case <-ended:
			t.Fatal("the active one has ended")
		default:
		}
		asked := time.Now()
		terminate()
		<-ended
		<-secondActive
		if took := time.Since(asked); took > 3*time.Second {
			t.Errorf("the second took over after %v", took)
		}
		if leases[0].holding() {
			t.Error("the first still holds the lease that it gave back")
		}
		end()
		<-done
	})
}

// A process that was frozen for longer than its lease lasts writes nothing, and ends.
func TestFence(t *testing.T) {
	now := time.Now()
	l := &lease{Interface: &memoryLock{"me", new(memoryServer)}, terms: termsOf(leaseDuration), now: func() time.Time { return now }}
	if err := l.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
		t.Fatal(err)
	}
	f := newFence(l.holding)
	sent := 0
	c := fencedClient{countingClient{sent: &sent}, f}
	ctx := t.Context()
	obj := new(corev1.ConfigMap)
	now = now.Add(leaseDuration - time.Second)
	if err := c.Create(ctx, obj); err != nil || sent != 1 {
		t.Fatalf("%d writes: %v", sent, err)
	}
	now = now.Add(2 * time.Second)
	for name, write := range map[string]func() error{
		"create": func() error { return c.Create(ctx, obj) }, "update": func() error { return c.Update(ctx, obj) },
		"patch": func() error { return c.Patch(ctx, obj, nil) }, "delete": func() error { return c.Delete(ctx, obj) },
		"apply": func() error { return c.Apply(ctx, nil) }, "delete all": func() error { return c.DeleteAllOf(ctx, obj) },
		"status update": func() error { return c.Status().Update(ctx, obj) }, "status patch": func() error { return c.Status().Patch(ctx, obj, nil) },
		"status apply": func() error { return c.Status().Apply(ctx, nil) }, "subresource create": func() error { return c.SubResource("x").Create(ctx, obj, obj) },
	} {
		if err := write(); !errors.Is(err, ErrLeaseLost) || sent != 1 {
			t.Errorf("%s: %d writes, %v", name, sent, err)
		}
	}
	if err := f.Start(ctx); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("the process goes on: %v", err)
	}
}

// countingClient counts what is created; anything else would crash.
type countingClient struct {
	client.Client
	sent *int
}

func (c countingClient) Create(context.Context, client.Object, ...client.CreateOption) error {
	*c.sent++
	return nil
}

func (c countingClient) SubResource(string) client.SubResourceClient { return nil }
