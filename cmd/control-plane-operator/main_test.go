package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/scrape"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// program is the binary on a cluster, with a namespace where its account may do what
// the Role of a control plane operator allows.
type program struct {
	*cluster.Cluster
	client client.Client
	bin    string
}

const namespace = "clusters-example"

func build(t *testing.T) *program {
	t.Helper()
	p := &program{Cluster: cluster.Start(t), bin: filepath.Join(t.TempDir(), "control-plane-operator")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.Install(t, cluster.HypershiftCRD(t, "hostedcontrolplanes"))
	scheme, err := operator.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	if p.client, err = client.New(p.Config(), client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	name := metav1.ObjectMeta{Name: hostedcontrolplane.Name, Namespace: namespace}
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&rbacv1.Role{ObjectMeta: name, Rules: hostedcontrolplane.OperatorRules()},
		&rbacv1.RoleBinding{
			ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name.Name, Namespace: namespace}},
		},
	} {
		if err := p.client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// start starts the process with the arguments that its Deployment has. stop asks it to
// end, which it must do well.
func (p *program) start(t *testing.T, metrics string, env ...string) (stop func()) {
	t.Helper()
	return p.startWith(t, []string{"--metrics-addr", metrics, "--health-addr", "0"}, env...)
}

func (p *program) startWith(t *testing.T, args []string, env ...string) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.bin, append([]string{"run", "--namespace", namespace, "--deployment-name", "control-plane-operator",
		"--enable-ci-debug-output=false", "--registry-overrides==", "--image-overrides=="}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	account := p.User("system:serviceaccount:" + namespace + ":" + hostedcontrolplane.Name)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig(t, account), "CONTROL_PLANE_OPERATOR_IMAGE=registry.example.com/cpo:1")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v:\n%s", err, stderr.String())
		}
		for _, text := range []string{"is forbidden: User", "panic"} {
			if bytes.Contains(stderr.Bytes(), []byte(text)) {
				t.Errorf("%q in\n%s", text, stderr.String())
			}
		}
	}
}

func TestProcess(t *testing.T) {
	p := build(t)
	t.Run("Lease", p.lease)
	t.Run("OCPBUGS16221TrustBundle", p.trustBundle)
	t.Run("UnreadableDocument", p.unreadableDocument)
}

// The process takes the lease and ends well on SIGTERM.
func (p *program) lease(t *testing.T) {
	stop := p.start(t, "0", "OPENSHIFT_IMG_OVERRIDES==")
	leases := p.Dynamic(t).Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}).Namespace(namespace)
	cluster.Await(t, "the lease", func(ctx context.Context) error {
		lease, err := leases.Get(ctx, "control-plane-operator", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity"); holder == "" {
			return errors.New("nobody holds it")
		}
		return nil
	})
	stop()
}

// A mirror with a private authority is trusted by the bundle that the Deployment mounts
// at /etc/pki/tls/certs, one of the two folders that Go reads (crypto/x509, root_linux.go).
// The other names of that folder and of the files are what SSL_CERT_DIR and SSL_CERT_FILE
// are for.
func (p *program) trustBundle(t *testing.T) {
	mirror, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mirror.Close)
	release := testpayload.Release{Version: "4.17.3", Components: 30, Manifests: -1, BaseLayers: []int64{}}
	digest := mirror.Push("mirror/release", "4.17.3", testpayload.Must(release.Image()))
	const source = "release.example.invalid/ocp/release" // nobody has that name
	for _, obj := range []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: hypershift.PullSecret, Namespace: namespace},
			Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")},
		},
		hostedControlPlane(source + "@" + digest),
	} {
		if err := p.client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	mounted := t.TempDir()
	env := []string{
		"OPENSHIFT_IMG_OVERRIDES=" + source + "=" + mirror.Host() + "/mirror/release",
		"SSL_CERT_DIR=" + mounted, "SSL_CERT_FILE=" + filepath.Join(mounted, "none"),
	}
	metrics := process.FreeAddress(t)
	stop := p.start(t, metrics, env...)
	p.await(t, metav1.ConditionUnknown, hostedcontrolplane.ReasonLookupFailed)
	stop()
	mountConfigMap(t, mounted, "user-ca-bundle.pem", mirror.CA().PEM())
	stop = p.start(t, metrics, env...)
	p.await(t, metav1.ConditionTrue, hyperv1.AsExpectedReason)
	seen, err := scrape.Get(t.Context(), metrics)
	if err != nil {
		t.Fatal(err)
	}
	seen.Compare(t, "mirrorchain_")
	if err := seen.Lookups(mirror.Host(), "env:MIRRORCHAIN_OVERRIDES,OPENSHIFT_IMG_OVERRIDES"); err != nil {
		t.Error(err)
	}
	stop()
}

// A handed-on document of a later version ends nothing: the process is not ready and says
// why, and goes on when the document is mended.
func (p *program) unreadableDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), handover.Key)
	replace(t, file, strings.Replace(document(t), `"version":1`, `"version":2`, 1))
	health := process.FreeAddress(t)
	stop := p.startWith(t, []string{"--metrics-addr", "0", "--health-addr", health, "--overrides-file", file})
	cluster.Await(t, "not ready because of the version", func(ctx context.Context) error {
		status, body, err := get(ctx, "http://"+health+"/readyz/mirror-rules")
		if err != nil || status == http.StatusOK || !strings.Contains(body, "version") || !strings.Contains(body, file) {
			return fmt.Errorf("%d %q, %v", status, body, err)
		}
		return nil
	})
	if status, _, err := get(t.Context(), "http://"+health+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz: %d, %v", status, err)
	}
	replace(t, file, document(t))
	cluster.Await(t, "ready with the mended document", func(ctx context.Context) error {
		status, body, err := get(ctx, "http://"+health+"/readyz/mirror-rules")
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %q, %v", status, body, err)
		}
		return nil
	})
	stop()
}

// document returns a handed-on document.
func document(t *testing.T) string {
	t.Helper()
	bundle, err := handover.NewBundle(new(policy.Rules))
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.ConfigMapData()
	if err != nil {
		t.Fatal(err)
	}
	return data[handover.Key]
}

func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
}

func get(ctx context.Context, url string) (status int, body string, err error) {
	transport := new(http.Transport)
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

// mountConfigMap makes of dir what the kubelet makes of a ConfigMap with one key.
func mountConfigMap(t *testing.T, dir, key string, data []byte) {
	t.Helper()
	const version = "..2026_01_01_00_00_00.1"
	err := errors.Join(
		os.Mkdir(filepath.Join(dir, version), 0o755),
		os.WriteFile(filepath.Join(dir, version, key), data, 0o644),
		os.Symlink(version, filepath.Join(dir, "..data")),
		os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func (p *program) await(t *testing.T, status metav1.ConditionStatus, reason string) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("%s %s", status, reason), func(ctx context.Context) error {
		hcp := new(hyperv1.HostedControlPlane)
		if err := p.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "example"}, hcp); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(hyperv1.ValidReleaseInfo))
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("conditions %+v", hcp.Status.Conditions)
		}
		return nil
	})
}

func hostedControlPlane(image string) *hyperv1.HostedControlPlane {
	var services []hyperv1.ServicePublishingStrategyMapping
	for _, service := range []hyperv1.ServiceType{hyperv1.APIServer, hyperv1.OAuthServer, hyperv1.Konnectivity, hyperv1.Ignition} {
		services = append(services, hyperv1.ServicePublishingStrategyMapping{
			Service: service, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{Type: hyperv1.LoadBalancer},
		})
	}
	return &hyperv1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{Name: "example", Namespace: namespace},
		Spec: hyperv1.HostedControlPlaneSpec{
			ReleaseImage: image, PullSecret: corev1.LocalObjectReference{Name: hypershift.PullSecret},
			IssuerURL: "https://issuer.example.com", InfraID: "infra", Services: services,
			Platform: hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
			Etcd: hyperv1.EtcdSpec{ManagementType: hyperv1.Managed, Managed: &hyperv1.ManagedEtcdSpec{
				Storage: hyperv1.ManagedEtcdStorageSpec{Type: hyperv1.PersistentVolumeEtcdStorage},
			}},
		},
	}
}
