package servingcert_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/servingcert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func name(t *testing.T, c *servingcert.Certificate) string {
	t.Helper()
	got, err := c.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.Leaf.Subject.CommonName
}

// follow starts c and returns a function that waits for a log entry.
func follow(t *testing.T, cfg servingcert.Config) (*servingcert.Certificate, func(message string)) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	told := make(chan string, 100)
	cfg.Log = zap.New(core, zap.Hooks(func(e zapcore.Entry) error { told <- e.Message; return nil }))
	c, err := servingcert.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c, func(message string) {
		t.Helper()
		for {
			select {
			case m := <-told:
				if m == message {
					return
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("%q was not said; the log has %v", message, logs.All())
			}
		}
	}
}

const (
	renewed = "the serving certificate was renewed"
	useless = "the serving certificate cannot be used; the last one stays in force"
)

func TestRenewal(t *testing.T) {
	for what, poll := range map[string]time.Duration{"watched": time.Hour, "polled": 5 * time.Millisecond} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			cfg := servingcert.Config{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), Poll: poll}
			cert, key := pair(t, "one")
			write(t, cfg.CertFile, cert)
			write(t, cfg.KeyFile, key)
			c, wait := follow(t, cfg)
			if got := name(t, c); got != "one" {
				t.Fatalf("serves %q", got)
			}
			cert, key = pair(t, "two")
			write(t, cfg.CertFile, cert) // with the old key it is no pair
			if what == "watched" {
				wait(useless)
				if got := name(t, c); got != "one" {
					t.Errorf("serves %q while the files do not fit", got)
				}
			}
			write(t, cfg.KeyFile, key)
			wait(renewed)
			if got := name(t, c); got != "two" {
				t.Errorf("serves %q", got)
			}
			if err := os.Remove(cfg.KeyFile); err != nil {
				t.Fatal(err)
			}
			wait(useless)
			if got := name(t, c); got != "two" {
				t.Errorf("serves %q after a file was removed", got)
			}
		})
	}
}

// As the kubelet does it: the files are links into a directory that a link names.
func TestMountedSecret(t *testing.T) {
	dir := t.TempDir()
	version := func(v string) {
		cert, key := pair(t, v)
		if err := os.Mkdir(filepath.Join(dir, v), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, v, "tls.crt"), cert)
		write(t, filepath.Join(dir, v, "tls.key"), key)
		if err := os.Symlink(v, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..v1")
	for _, f := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", f), filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	c, wait := follow(t, servingcert.Config{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), Poll: time.Hour})
	version("..v2")
	wait(renewed)
	if got := name(t, c); got != "..v2" {
		t.Errorf("serves %q", got)
	}
}

func TestNew(t *testing.T) {
	dir := t.TempDir()
	if _, err := servingcert.New(servingcert.Config{CertFile: filepath.Join(dir, "a"), KeyFile: filepath.Join(dir, "b")}); err == nil {
		t.Error("files that are not there are accepted")
	}
}
