package httpserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Without inotify the files are polled, and a half-written pair changes nothing.
func TestCertificateWithoutWatch(t *testing.T) {
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	core, logs := observer.New(zap.DebugLevel)
	cfg := Config{
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
		CertPoll: 5 * time.Millisecond, Log: zap.New(core),
	}
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	issue := func() (cert, key []byte) {
		t.Helper()
		cert, key, err := ca.ClientCertificate("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	cert, key := issue()
	write(cfg.CertFile, cert)
	write(cfg.KeyFile, key)
	exhausted := func(string, string) (*certwatcher.CertWatcher, error) { return nil, errors.New("too many open files") }
	c, err := newCertificate(cfg, exhausted)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Start(ctx) })
	defer running.Wait()
	defer cancel()
	serial := func() string {
		pair, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	old := serial()
	cert, key = issue()
	write(cfg.CertFile, cert) // with the old key it is no pair
	await("a pair that does not fit is not reported", func() bool {
		return logs.FilterMessage("the serving certificate cannot be used; the last good one stays in force").Len() > 0
	})
	if serial() != old {
		t.Error("half of a pair is served")
	}
	write(cfg.KeyFile, key)
	await("the new certificate is not served", func() bool { return serial() != old })
	if logs.FilterMessage("the serving certificate cannot be watched; it is polled").Len() != 1 {
		t.Error("the missing watch is not reported")
	}
}
