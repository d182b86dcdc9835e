package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/scrape"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// The process, with the arguments that its Deployment has and paths and addresses of
// the test, makes a payload through a mirror whose private authority is in a mounted
// bundle alone (OCPBUGS-16221), serves it, and ends well on SIGTERM.
func TestProcess(t *testing.T) {
	c := cluster.Start(t)
	bin := filepath.Join(t.TempDir(), "ignition-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := machineconfig.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kube, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]func(bundle string) (args, env []string){
		"flag": func(b string) ([]string, []string) { return []string{"--trust-bundle", b}, nil },
		"directory": func(b string) ([]string, []string) {
			return nil, []string{"SSL_CERT_DIR=" + filepath.Dir(b)}
		},
	} {
		t.Run(name, func(t *testing.T) { run(t, c, kube, bin, program, name, trust) })
	}
}

func run(t *testing.T, c *cluster.Cluster, kube kubernetes.Interface, bin string, program []byte, namespace string, trust func(string) (args, env []string)) {
	source, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	mirror, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mirror.Close)
	images, err := machineconfig.Release{Source: source.Host(), Program: program}.Images()
	if err != nil {
		t.Fatal(err)
	}
	images.PushTo(mirror.Push)
	source.Down()

	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made, err := pki.Ensure(pki.Config{Authority: "ca", Name: "ignition-server", Hosts: []string{"127.0.0.1"}}, pki.Pair{}, pki.Pair{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(made.Authority.Data()[corev1.TLSCertKey])
	certs := filepath.Join(dir, "certs")
	if err := os.Mkdir(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	extra, env := trust(file("certs/user-ca-bundle.pem", mirror.CA().PEM()))
	overrides := fmt.Sprintf("%[1]s/%[3]s=%[2]s/%[4]s,%[1]s/%[5]s=%[2]s/%[6]s", source.Host(), mirror.Host(),
		machineconfig.ReleaseRepository, machineconfig.MirroredRelease, machineconfig.ComponentRepository, machineconfig.MirroredComponents)
	addr, metrics := process.FreeAddress(t), process.FreeAddress(t)
	p, err := process.Start(process.Config{
		Dir: dir, Path: bin, Log: filepath.Join(dir, "log"),
		Args: append([]string{
			"--cert-file", file("tls.crt", made.Serving.Data()[corev1.TLSCertKey]), "--key-file", file("tls.key", made.Serving.Data()[corev1.TLSPrivateKeyKey]),
			"--feature-gate-manifest=" + file("gate.yaml", []byte("kind: FeatureGate")),
			"--registry-overrides", "=", "--platform", "None",
			"--work-dir", filepath.Join(dir, "payloads"), "--metrics-addr", metrics, "--health-addr", "127.0.0.1:0", "--addr", addr,
			"--os-release", file("os-release", []byte("VERSION_ID=\"9.4\"\n")),
		}, extra...),
		Env: append(append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(t, c.Config()), "MY_NAMESPACE="+namespace, "OPENSHIFT_IMG_OVERRIDES="+overrides), env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		if t.Failed() {
			t.Log(p.Tail())
		}
	})

	objects(t, kube, namespace, images.Pullspec)
	cluster.Await(t, "a payload", func(ctx context.Context) error {
		body, err := payload(ctx, roots, addr)
		if err != nil {
			return err
		}
		_, err = machineconfig.Decode(body)
		return err
	})
	if n := source.Count(); n != 0 {
		t.Errorf("the source got %d requests", n)
	}
	seen, err := scrape.Get(t.Context(), metrics)
	if err != nil {
		t.Fatal(err)
	}
	seen.Compare(t, "mirrorchain_", "ign_server_")
	if err := seen.Lookups(mirror.Host(), "env:MIRRORCHAIN_OVERRIDES,OPENSHIFT_IMG_OVERRIDES"); err != nil {
		t.Error(err)
	}
	if err := p.Terminate(t.Context()); err != nil || p.ExitCode() != 0 {
		t.Errorf("it ended with %d, %v", p.ExitCode(), err)
	}
	out, err := p.Output()
	if err != nil || strings.Contains(string(out), token) || strings.Contains(string(out), "bootstrap-token") {
		t.Errorf("%v, or a secret is in the log", err)
	}
}

const token = "0b6a1c2e-6d1f-4a52-9f3a-3f1f0a1b2c3d"

// objects makes a namespace with what a payload is made of, and a token secret.
func objects(t *testing.T, kube kubernetes.Interface, namespace, release string) {
	t.Helper()
	secrets, maps := kube.CoreV1().Secrets(namespace), kube.CoreV1().ConfigMaps(namespace)
	var errs []error
	_, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	errs = append(errs, err)
	for name, data := range map[string]map[string][]byte{
		"pull-secret":          {corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
		"bootstrap-kubeconfig": {"kubeconfig": []byte(machineconfig.BootstrapKubeconfig)},
	} {
		_, err = secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
		errs = append(errs, err)
	}
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "machine-config-server"}, Data: machineconfig.ConfigMap("")}, metav1.CreateOptions{})
	errs = append(errs, err)
	const config = "H4sIAAAAAAACAwMAAAAAAAAAAAA=" // an empty one
	_, err = secrets.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "token-np-1", Annotations: map[string]string{
			"hypershift.openshift.io/ignition-config":            "true",
			"hypershift.openshift.io/last-token-generation-time": time.Now().Format(time.RFC3339Nano),
		}},
		Data: map[string][]byte{"token": []byte(token), "release": []byte(release), "config": []byte(config)},
	}, metav1.CreateOptions{})
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

func payload(ctx context.Context, roots *x509.CertPool, addr string) ([]byte, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/ignition", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(token)))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return body, err
}
