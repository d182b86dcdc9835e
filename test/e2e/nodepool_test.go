package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/kubelet"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
)

// others creates what other controllers of HyperShift put beside the control plane.
func (w *world) others(t *testing.T) {
	t.Helper()
	w.create(t,
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.controlPlane(), Name: "machine-config-server"}, Data: machineconfig.ConfigMap(""),
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.controlPlane(), Name: "bootstrap-kubeconfig"},
			Data:       map[string][]byte{"kubeconfig": []byte(machineconfig.BootstrapKubeconfig)},
		},
	)
}

// hash returns HyperShift's hash of v (support/util/util.go HashSimple).
func hash(v any) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%v", v)
	return fmt.Sprintf("%08x", h.Sum32())
}

// nodePool is one with a token secret, as HyperShift's NodePool controller makes it.
type nodePool struct {
	namespace         string // of the control plane
	name, hash, token string
	release           machineconfig.Images
}

func (p nodePool) secret() client.ObjectKey {
	return client.ObjectKey{Namespace: p.namespace, Name: "token-" + p.name + "-" + p.hash}
}

// nodePool creates the token secret of a node pool with that release.
func (w *world) nodePool(t *testing.T, name string, release machineconfig.Images) nodePool {
	t.Helper()
	p := nodePool{
		namespace: w.controlPlane(), name: name, hash: hash(name + release.Version), token: "token-of-" + name + "-" + rand.Text(), release: release,
	}
	w.secrets[p.token] = []string{p.secret().String()}
	w.secrets[base64.StdEncoding.EncodeToString([]byte(p.token))] = nil
	var config bytes.Buffer
	b64 := base64.NewEncoder(base64.StdEncoding, &config)
	z := gzip.NewWriter(b64)
	for _, err := range []error{second(io.WriteString(z, "of node pool "+name)), z.Close(), b64.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var bundleHash string // of no bundle
	if !w.bare {
		bundleHash = hash(string(w.ca.PEM()))
	}
	key := p.secret()
	w.create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name,
			Annotations: map[string]string{
				"hypershift.openshift.io/ignition-config":            "true",
				"hypershift.openshift.io/node-pool-upgrade-type":     "Replace",
				"hypershift.openshift.io/nodePool":                   w.namespace + "/" + name,
				"hypershift.openshift.io/last-token-generation-time": time.Now().Format(time.RFC3339Nano),
			},
		},
		Immutable: new(false),
		Data: map[string][]byte{
			"token": []byte(p.token), "release": []byte(release.Pullspec), "release-version": []byte(release.Version),
			"config": config.Bytes(), "pull-secret-hash": []byte(hash(w.pullSecret())),
			"additional-trust-bundle-hash": []byte(bundleHash),
			"hc-configuration-hash":        []byte(machineconfig.ConfigurationHash),
		},
	})
	return p
}

func second[T any](_ T, err error) error { return err }

// reason waits until the ignition server says that of a token secret; part is in its
// message, which is returned.
func (w *world) reason(t *testing.T, p nodePool, want, part string) string {
	t.Helper()
	var message string
	cluster.Await(t, "the token secret of "+p.name, func(ctx context.Context) error {
		s := new(corev1.Secret)
		if err := w.Get(ctx, p.secret(), s); err != nil {
			return err
		}
		message = string(s.Data["message"])
		if got := string(s.Data["reason"]); got != want || !strings.Contains(message, part) {
			return fmt.Errorf("reason %q, message %q; want %q, %q", got, message, want, part)
		}
		return nil
	})
	return message
}

// get asks the ignition server for a payload, and returns its answer. A pod that is
// replaced before it answers is no answer.
func (w *world) get(t *testing.T, p nodePool, token string) (status int, contentType string, body []byte) {
	t.Helper()
	cluster.Await(t, "an answer of the ignition server", func(ctx context.Context) (err error) {
		status, contentType, body, err = w.ask(ctx, w.Ready(t, w.controlPlane(), agentIgnition), p, token)
		return err
	})
	return status, contentType, body
}

// ask asks a pod for a payload as a node does: with the authority that user data has, by
// the Service's name.
func (w *world) ask(ctx context.Context, pod *kubelet.Pod, p nodePool, token string) (status int, contentType string, body []byte, err error) {
	authority := new(corev1.Secret)
	if err := w.Get(ctx, client.ObjectKey{Namespace: w.controlPlane(), Name: "ignition-server-ca-cert"}, authority); err != nil {
		return 0, "", nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Data["tls.crt"]) {
		return 0, "", nil, errors.New("Secret ignition-server-ca-cert has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "ignition-server." + w.controlPlane() + ".svc"}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+pod.Address(9090)+"/ignition", nil)
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(token)))
	req.Header.Set("NodePool", w.namespace+"/"+p.name)
	req.Header.Set("TargetConfigVersionHash", p.hash)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Content-Type"), body, err
}

// boots gets the payload as a node of the pool does, and looks at what is in it.
func (w *world) boots(t *testing.T, p nodePool) machineconfig.Files {
	t.Helper()
	w.reason(t, p, "AsExpected", "")
	if status, _, _ := w.get(t, p, "of-somebody-else"); status != http.StatusNetworkAuthenticationRequired {
		t.Errorf("a token that nobody made gets status %d", status)
	}
	var body []byte
	cluster.Await(t, "the payload of "+p.name, func(context.Context) error { // a new pod has none yet
		var status int
		var contentType string
		if status, contentType, body = w.get(t, p, p.token); status != http.StatusOK || contentType != "application/json; charset=utf-8" {
			return fmt.Errorf("status %d, %s: %s", status, contentType, body)
		}
		return nil
	})
	files, err := machineconfig.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if got := files["custom.yaml"]; got != "of node pool "+p.name {
		t.Errorf("the node pool's configuration is %q", got)
	}
	cluster.Await(t, "the mark that a node was there", func(ctx context.Context) error {
		s := new(corev1.Secret)
		if err := w.Get(ctx, p.secret(), s); err != nil {
			return err
		}
		if got := s.Annotations["hypershift.openshift.io/ignition-reached"]; got != "True" {
			return fmt.Errorf("ignition-reached is %q", got)
		}
		return nil
	})
	return files
}

// canonical looks for what ends on nodes: it names the source, whose mirrors nodes
// know by themselves, and no mirror of the management cluster.
func (w *world) canonical(t *testing.T, p nodePool, files machineconfig.Files) {
	t.Helper()
	if args := files["operator.args"]; !strings.Contains(args, p.release.Pullspec) {
		t.Errorf("--release-image is not %s: %s", p.release.Pullspec, args)
	}
	references := files["image-references"]
	if !strings.Contains(references, w.source.Host()+"/"+machineconfig.ComponentRepository) {
		t.Error("image-references name no image of the source")
	}
	for name, text := range files {
		if name == "machineconfigcontroller-pull-secret" || name == "controller.home" {
			continue // they have the pull secret
		}
		for i, host := range w.mirrorHosts {
			if strings.Contains(text, host) {
				t.Errorf("%s names mirror %d", name, i)
			}
		}
	}
}
