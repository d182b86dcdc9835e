package testregistry_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func TestDownAndMute(t *testing.T) {
	for name, cfg := range map[string]testregistry.Config{"TLS": {}, "plain": {PlainHTTP: true}} {
		t.Run(name, func(t *testing.T) {
			reg, c, _ := start(t, cfg)
			c.want(c.do("GET", "/v2/"), 200)
			host := reg.Host()
			reg.Down()
			if r := c.do("GET", "/v2/"); !errors.Is(r.err, syscall.ECONNREFUSED) {
				t.Errorf("down: %v", r.err)
			}
			if err := reg.Up(); err != nil || reg.Host() != host {
				t.Fatalf("up at %s, %v; want %s", reg.Host(), err, host)
			}
			c.want(c.do("GET", "/v2/"), 200)

			if err := reg.Mute(); err != nil {
				t.Fatal(err)
			}
			before := reg.Main().Stats().Connections
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if r := c.doContext(ctx, "GET", "/v2/"); !errors.Is(r.err, context.DeadlineExceeded) {
				t.Errorf("mute: %v", r.err)
			}
			if reg.Main().Stats().Connections == before {
				t.Error("a mute registry accepted nothing")
			}
			if err := reg.Up(); err != nil {
				t.Fatal(err)
			}
			c.want(c.do("GET", "/v2/"), 200)
			if n := reg.Count(); n != 3 {
				t.Errorf("%d requests were logged, want 3", n)
			}
		})
	}
}

func TestCloseLetsGo(t *testing.T) {
	reg, c, img := start(t, testregistry.Config{})
	reg.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Hang())
	reg.Fail(testregistry.Match{Kind: testregistry.Blob}, testregistry.HangAfter(10))
	errs := make(chan error)
	for _, path := range []string{"/v2/team/app/manifests/v1", "/v2/team/app/blobs/" + img.Top().Digest} {
		go func() { errs <- c.do("GET", path).err }()
	}
	if err := reg.Wait(t.Context(), 2, testregistry.Match{}); err != nil {
		t.Fatal(err)
	}
	reg.Close()
	for range 2 {
		if err := <-errs; err == nil {
			t.Error("a hanging request succeeded")
		}
	}
	if _, err := net.Dial("tcp", reg.Host()); err == nil {
		t.Error("still listening")
	}
	if reg.Up() == nil || reg.Wait(t.Context(), 9, testregistry.Match{}) == nil {
		t.Error("a closed registry went on")
	}
}

func TestBarrier(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{})
	b := reg.Barrier(5, testregistry.Match{Kind: testregistry.Manifest})
	done := make(chan error)
	for i := range 5 {
		if i == 4 { // four are held, the fifth opens
			if err := reg.Wait(t.Context(), 4, testregistry.Match{Kind: testregistry.Manifest}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-b.Open():
				t.Fatal("open too early")
			default:
			}
		}
		go func() { done <- c.do("GET", "/v2/team/app/manifests/v1").err }()
	}
	for range 5 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if b.Waiting() != 0 {
		t.Errorf("%d still wait", b.Waiting())
	}
}

func TestLatency(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{Latency: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_ = reg.Wait(ctx, 1, testregistry.Match{})
		cancel()
	}()
	if r := c.doContext(ctx, "GET", "/v2/"); !errors.Is(r.err, context.Canceled) {
		t.Errorf("answered within the hour: %v", r.err)
	}
	reg.SetLatency(0)
	c.want(c.do("GET", "/v2/"), 200)
}

// Who leaves while held at a barrier is not counted any more.
func TestBarrierLeft(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{})
	b := reg.Barrier(2, testregistry.Match{Kind: testregistry.Ping})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_ = reg.Wait(ctx, 1, testregistry.Match{})
		cancel()
	}()
	if r := c.doContext(ctx, "GET", "/v2/"); !errors.Is(r.err, context.Canceled) {
		t.Fatalf("passed alone: %v", r.err)
	}
	// The server notices in its own time.
	for b.Waiting() > 0 {
		if t.Context().Err() != nil {
			t.Fatal("still held")
		}
		runtime.Gosched()
	}
	select {
	case <-b.Open():
		t.Error("open")
	default:
	}
	c.want(c.do("GET", "/v2/team/app/manifests/v1"), 200) // does not match
	done := make(chan error)
	go func() { done <- c.do("GET", "/v2/").err }()
	if err := reg.Wait(t.Context(), 3, testregistry.Match{}); err != nil {
		t.Fatal(err)
	}
	b.Release()
	if err := errors.Join(<-done, b.Await(t.Context())); err != nil {
		t.Error(err)
	}
	c.want(c.do("GET", "/v2/"), 200)
}

// Everything at once, for the race detector and the leak check.
func TestStress(t *testing.T) {
	reg, c, img := start(t, testregistry.Config{RedirectBlobs: true, Auth: testregistry.Auth{
		Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "u", Password: "p"}},
	}})
	paths := []string{"/v2/", "/v2/team/app/manifests/v1", "/v2/team/app/blobs/" + img.Top().Digest}
	var clients, changes sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					c.do("GET", paths[(n+i)%len(paths)], "Authorization", basic("u", "p")) // may fail
				}
			}
		})
	}
	for _, change := range []func(int){
		func(int) { reg.Inject(testregistry.Fault{Times: 1, Action: testregistry.ResetAfter(5)}) },
		func(i int) { reg.Push("team/app", "v1", img) },
		func(int) { reg.Count(testregistry.Match{Kind: testregistry.Blob}) },
		func(int) { reg.Main().CloseConnections() },
		func(i int) {
			if reg.Down(); reg.Up() != nil {
				t.Error("not up again")
			}
		},
		func(int) { reg.ClearFaults(); reg.ResetLog() },
		func(i int) { reg.Main().SetCertificate(testregistry.CertificateKind(i % 2)) },
	} {
		changes.Go(func() {
			for i := range 10 {
				change(i)
			}
		})
	}
	changes.Wait()
	close(stop)
	reg.Close()
	clients.Wait()
}
