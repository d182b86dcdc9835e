// Package cluster runs a real Kubernetes API server for a test: etcd and
// kube-apiserver as processes of their own, on loopback, with RBAC. There are no
// controllers, no nodes and no pods in it.
//
// The binaries come from package servers. Where they are not built the tests are
// skipped; under make test they always are.
package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/servers"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Cluster is an API server with its etcd. Its methods are for one goroutine.
type Cluster struct {
	dir   string // etcd's data, certificates, logs
	bin   string
	token string // of the administrator
	addr  string // "127.0.0.1:PORT"
	etcd  *process.Process
	api   *process.Process // nil while stopped
}

// startLimit is how long a server may take to become ready on a busy machine.
const startLimit = 3 * time.Minute

// Start runs a cluster until the test has ended, or skips the test where the
// servers are not built.
func Start(t testing.TB) *Cluster {
	t.Helper()
	bin, err := servers.Find(servers.ControlPlane)
	if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
		t.Skipf("needs a real API server: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: sockets need short paths.
	dir, err := os.MkdirTemp("", "mirrorchain")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{dir: dir, bin: bin, token: rand.Text()}
	t.Cleanup(func() {
		if t.Failed() && c.api != nil {
			t.Log(c.api.Tail())
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	c.addr = process.FreeAddress(t)
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	if c.etcd, err = c.startEtcd(); err != nil {
		t.Fatal(err)
	}
	if err := c.startAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Config connects as the administrator, without limits on the client's side.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host:            c.addr,
		BearerToken:     c.token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(c.dir, "ca.crt")},
		QPS:             -1,
	}
}

// User connects as a user who may do what RBAC rules allow.
func (c *Cluster) User(name string) *rest.Config {
	cfg := c.Config()
	cfg.Impersonate.UserName = name
	return cfg
}

// StopAPI ends the API server as a crash does; etcd goes on. Connections break, and
// new ones are refused.
func (c *Cluster) StopAPI(t testing.TB) {
	t.Helper()
	if err := c.api.Kill(); err != nil {
		t.Fatal(err)
	}
	c.api = nil
}

// StartAPI starts the API server again, at the address it had.
func (c *Cluster) StartAPI(t testing.TB) {
	t.Helper()
	// Not the test's own context: that has ended where a cleanup starts the server.
	if err := c.startAPI(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// prepare writes the files that the servers read. The API server could make a
// certificate by itself, but who reads that while it is written gets an empty file, and
// client-go then trusts nobody for five minutes.
func (c *Cluster) prepare() error {
	ca, err := testregistry.NewCA()
	if err != nil {
		return err
	}
	cert, key, err := ca.ClientCertificate("127.0.0.1") // is one for servers, too
	if err != nil {
		return err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(accounts)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"ca.crt": ca.PEM(), "tls.crt": cert, "tls.key": key,
		"accounts.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		"tokens.csv":   fmt.Appendf(nil, "%s,admin,admin,system:masters\n", c.token),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startEtcd starts etcd, which listens on sockets in our folder and so needs no free
// ports.
func (c *Cluster) startEtcd() (*process.Process, error) {
	const nobody = "http://127.0.0.1:1" // where others would find this member; there are none
	return c.start("etcd",
		"--name=default", "--data-dir="+filepath.Join(c.dir, "etcd"),
		"--listen-client-urls=unix://"+c.socket(), "--advertise-client-urls="+nobody,
		"--listen-peer-urls=unix://"+filepath.Join(c.dir, "peer.sock"),
		"--initial-advertise-peer-urls="+nobody, "--initial-cluster=default="+nobody,
		"--unsafe-no-fsync", "--logger=zap", "--log-level=warn")
}

func (c *Cluster) socket() string { return filepath.Join(c.dir, "etcd.sock") }

// startAPI starts the API server and returns when it is ready. It always has the same
// address.
func (c *Cluster) startAPI(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var err error
	if c.api, err = c.runAPI(); err != nil {
		return err
	}
	return c.ready(ctx)
}

func (c *Cluster) runAPI() (*process.Process, error) {
	_, port, err := net.SplitHostPort(c.addr)
	if err != nil {
		return nil, err
	}
	key := filepath.Join(c.dir, "accounts.key")
	return c.start("kube-apiserver",
		"--etcd-servers=unix://"+c.socket(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--tls-cert-file="+filepath.Join(c.dir, "tls.crt"), "--tls-private-key-file="+filepath.Join(c.dir, "tls.key"),
		"--token-auth-file="+filepath.Join(c.dir, "tokens.csv"),
		"--authorization-mode=RBAC", "--anonymous-auth=false",
		"--service-account-issuer=https://127.0.0.1", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount", // nobody makes the accounts' tokens
		"--endpoint-reconciler-type=none",
	)
}

// ready waits until the API server says that it is.
func (c *Cluster) ready(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if status, err := c.status(ctx, "/readyz"); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ticker.C:
		case <-c.etcd.Done():
			return errors.New("etcd has ended; " + c.etcd.Tail())
		case <-c.api.Done():
			return errors.New("the API server has ended; " + c.api.Tail())
		case <-ctx.Done():
			return fmt.Errorf("the API server is not ready: %w; %s", ctx.Err(), c.api.Tail())
		}
	}
}

// status asks for path as the administrator, and returns the status of the answer.
func (c *Cluster) status(ctx context.Context, path string) (int, error) {
	client, err := rest.HTTPClientFor(c.Config())
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.Config().Host+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func (c *Cluster) close() error {
	var errs []error
	if c.api != nil {
		errs = append(errs, c.api.Kill())
	}
	if c.etcd != nil {
		errs = append(errs, c.etcd.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// start runs one of the servers, with its output in a file of our folder. To end it
// it is killed: an API server that is asked to end keeps its open watches for a
// minute.
func (c *Cluster) start(name string, args ...string) (*process.Process, error) {
	return process.Start(process.Config{
		Path: filepath.Join(c.bin, name), Args: args, Dir: c.dir, Log: filepath.Join(c.dir, name+".log"),
	})
}
