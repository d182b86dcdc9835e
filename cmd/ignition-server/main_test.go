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

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/scrape"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// The process, with the arguments that its Deployment has and paths and addresses of
// the test, makes a payload through a mirror whose private authority is in a mounted
// bundle alone (OCPBUGS-16221), serves it, and ends well on SIGTERM.
func TestProcess(t *testing.T) {
	c, bin := cluster.Start(t), build(t)
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
	t.Run("UnreadableDocument", func(t *testing.T) { unreadableDocument(t, c, bin) })
	t.Run("LargePrograms", func(t *testing.T) { largePrograms(t, c, kube, bin, program) })
	t.Run("Signed", func(t *testing.T) { signedRelease(t, c, kube, bin, program) })
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "ignition-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
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

	certs := t.TempDir()
	ca := filepath.Join(certs, "user-ca-bundle.pem")
	if err := os.WriteFile(ca, mirror.CA().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	args, env := trust(ca)
	p := start(t, c, bin, namespace, args, append(env, overrides(source, mirror)))

	objects(t, kube, namespace, images.Pullspec)
	cluster.Await(t, "a payload", func(ctx context.Context) error {
		body, err := payload(ctx, p.roots, p.addr)
		if err != nil {
			return err
		}
		_, err = machineconfig.Decode(body)
		return err
	})
	if n := source.Count(); n != 0 {
		t.Errorf("the source got %d requests", n)
	}
	seen, err := scrape.Get(t.Context(), p.metrics)
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

// overrides returns the variable that sends who looks for source's images to mirror.
func overrides(source, mirror *testregistry.Registry) string {
	return fmt.Sprintf("OPENSHIFT_IMG_OVERRIDES=%[1]s/%[3]s=%[2]s/%[4]s,%[1]s/%[5]s=%[2]s/%[6]s", source.Host(), mirror.Host(),
		machineconfig.ReleaseRepository, machineconfig.MirroredRelease, machineconfig.ComponentRepository, machineconfig.MirroredComponents)
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
