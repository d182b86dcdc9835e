package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// server is the process with files of its own.
type server struct {
	*process.Process
	dir, addr, metrics, health string
	roots                      *x509.CertPool
}

// start starts the process with args beside those that it always has.
func start(t *testing.T, c *cluster.Cluster, bin, namespace string, args, env []string) *server {
	t.Helper()
	s := &server{
		dir: t.TempDir(), addr: process.FreeAddress(t), metrics: process.FreeAddress(t), health: process.FreeAddress(t), roots: x509.NewCertPool(),
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made, err := pki.Ensure(pki.Config{Authority: "ca", Name: "ignition-server", Hosts: []string{"127.0.0.1"}}, pki.Pair{}, pki.Pair{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.roots.AppendCertsFromPEM(made.Authority.Data()[corev1.TLSCertKey])
	s.Process, err = process.Start(process.Config{
		Dir: s.dir, Path: bin, Log: filepath.Join(s.dir, "log"),
		Args: append([]string{
			"--cert-file", file("tls.crt", made.Serving.Data()[corev1.TLSCertKey]), "--key-file", file("tls.key", made.Serving.Data()[corev1.TLSPrivateKeyKey]),
			"--feature-gate-manifest=" + file("gate.yaml", []byte("kind: FeatureGate")),
			"--registry-overrides", "=", "--platform", "None",
			"--work-dir", filepath.Join(s.dir, "payloads"), "--metrics-addr", s.metrics, "--health-addr", s.health, "--addr", s.addr,
			"--os-release", file("os-release", []byte("VERSION_ID=\"9.4\"\n")),
		}, args...),
		Env: append(append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(t, c.Config()), "MY_NAMESPACE="+namespace), env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Kill()
		if t.Failed() {
			t.Log(s.Tail())
		}
	})
	return s
}

// get asks one of the server's addresses.
func (s *server) get(ctx context.Context, url string) (status int, body string, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// A handed-on document of a later version ends nothing: the process is not ready and says
// why, and goes on when the document is mended.
func unreadableDocument(t *testing.T, c *cluster.Cluster, bin string) {
	bundle, err := handover.NewBundle(new(policy.Rules))
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.ConfigMapData()
	if err != nil {
		t.Fatal(err)
	}
	good, file := data[handover.Key], filepath.Join(t.TempDir(), handover.Key)
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(good, `"version":1`, `"version":2`, 1))
	s := start(t, c, bin, "default", []string{"--overrides-file", file}, nil)
	await := func(what, url string, want int, words ...string) {
		t.Helper()
		cluster.Await(t, what, func(ctx context.Context) error {
			status, body, err := s.get(ctx, url)
			for _, w := range words {
				if !strings.Contains(body, w) {
					err = errors.Join(err, fmt.Errorf("no %q", w))
				}
			}
			if err != nil || status != want {
				return fmt.Errorf("%d %q, %v", status, body, err)
			}
			return nil
		})
	}
	rules, nodes := "http://"+s.health+"/readyz/mirror-rules", "https://"+s.addr
	await("alive", nodes+"/healthz", http.StatusOK)
	await("not ready because of the version", rules, http.StatusInternalServerError, "version", file)
	await("not ready for nodes", nodes+"/readyz", http.StatusServiceUnavailable)
	write(good)
	await("the mended document", rules, http.StatusOK)
	await("ready for nodes", nodes+"/readyz", http.StatusOK)
	if err := s.Terminate(t.Context()); err != nil || s.ExitCode() != 0 {
		t.Errorf("it ended with %d, %v", s.ExitCode(), err)
	}
}
