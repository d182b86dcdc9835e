package controller_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// program is the stand-in for the programs of a release, built once.
var program []byte

func TestMain(m *testing.M) {
	b, err := machineconfig.Build(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = b
	// client-go's, of a watch that ends while it has something to tell.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("k8s.io/apimachinery/pkg/watch.(*filteredWatch).loop"))
}

const user, password = "node", "s3cr3t-password"

// site is a cluster, for one namespace at a time.
type site struct {
	cluster *cluster.Cluster
	client  client.Client
}

func newSite(t *testing.T) *site {
	c := cluster.Start(t)
	c.Install(t, cluster.HypershiftCRD(t, "hostedcontrolplanes"))
	return &site{c, admin(t, c.Config())}
}

func admin(t *testing.T, conn *rest.Config) client.Client {
	t.Helper()
	scheme, err := operator.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(conn, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// location is the namespace of a control plane, with registries and a release of its own:
// a source that is never to be asked, and a mirror with authentication.
type location struct {
	*site
	t              *testing.T
	namespace      string
	source, mirror *testregistry.Registry
	base           *registry.Provider
	images         machineconfig.Images
	cert, key      string
	roots          *x509.CertPool
}

func (s *site) location(t *testing.T) *location {
	t.Helper()
	p := &location{site: s, t: t, namespace: "clusters-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))}
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	start := func(auth testregistry.Auth) *testregistry.Registry {
		r, err := testregistry.Start(testregistry.Config{CA: ca, Auth: auth})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	p.source = start(testregistry.Auth{})
	p.mirror = start(basic(password))
	if p.base, err = registry.New(registry.Config{RootCAs: ca.Pool()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.base.Close() })
	if p.images, err = (machineconfig.Release{Source: p.source.Host(), Program: program}).Images(); err != nil {
		t.Fatal(err)
	}
	p.images.PushTo(p.mirror.Push)

	p.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}})
	p.create(&rbacv1.Role{ObjectMeta: p.meta("ignition-server"), Rules: hostedcontrolplane.IgnitionRules()})
	p.create(&rbacv1.RoleBinding{
		ObjectMeta: p.meta("ignition-server"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "ignition-server"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "ignition-server", Namespace: p.namespace}},
	})
	p.create(&corev1.Secret{ObjectMeta: p.meta("pull-secret"), Data: map[string][]byte{
		corev1.DockerConfigJsonKey: machineconfig.PullSecret(user, password, p.mirror.Host()),
	}})
	p.create(&corev1.Secret{ObjectMeta: p.meta("bootstrap-kubeconfig"), Data: map[string][]byte{"kubeconfig": []byte(machineconfig.BootstrapKubeconfig)}})
	p.create(&corev1.ConfigMap{ObjectMeta: p.meta("machine-config-server"), Data: machineconfig.ConfigMap("")})
	p.create(hcp(p.namespace))
	p.certificate()
	return p
}

func basic(password string) testregistry.Auth {
	return testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: user, Password: password}}}
}

func (p *location) certificate() {
	p.t.Helper()
	made, err := pki.Ensure(pki.Config{Authority: "ca", Name: "ignition-server", Hosts: []string{"127.0.0.1"}}, pki.Pair{}, pki.Pair{}, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	data := made.Serving.Data()
	p.cert, p.key = p.file("tls.crt", string(data[corev1.TLSCertKey])), p.file("tls.key", string(data[corev1.TLSPrivateKeyKey]))
	p.roots = x509.NewCertPool()
	p.roots.AppendCertsFromPEM(made.Authority.Data()[corev1.TLSCertKey])
}

func (p *location) file(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *location) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: p.namespace}
}

func (p *location) create(obj client.Object) {
	p.t.Helper()
	if err := p.client.Create(p.t.Context(), obj); err != nil {
		p.t.Fatal(err)
	}
}

func (p *location) delete(obj client.Object) {
	p.t.Helper()
	if err := p.client.Delete(p.t.Context(), obj); err != nil {
		p.t.Fatal(err)
	}
}

func (p *location) get(name string, into client.Object) error {
	return p.client.Get(context.Background(), types.NamespacedName{Namespace: p.namespace, Name: name}, into)
}

func (p *location) secret(name string) *corev1.Secret {
	p.t.Helper()
	s := new(corev1.Secret)
	if err := p.get(name, s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// change changes a Secret or ConfigMap as its owner would.
func change[T client.Object](p *location, obj T, name string, f func(T)) {
	p.t.Helper()
	if err := p.get(name, obj); err != nil {
		p.t.Fatal(err)
	}
	base := obj.DeepCopyObject().(T)
	f(obj)
	if err := p.client.Patch(p.t.Context(), obj, client.MergeFrom(base)); err != nil {
		p.t.Fatal(err)
	}
}

// token makes a token Secret as node pools' controller does, changed by f.
func (p *location) token(name string, f ...func(*corev1.Secret)) *corev1.Secret {
	p.t.Helper()
	no := false
	s := &corev1.Secret{ObjectMeta: p.meta(name), Immutable: &no}
	s.Annotations = map[string]string{
		tokens.AnnotationToken: "true", tokens.AnnotationUpgradeType: "Replace", tokens.AnnotationNodePool: "clusters/np",
		tokens.AnnotationGenerated: time.Now().Format(time.RFC3339Nano),
	}
	s.Data = map[string][]byte{
		tokens.KeyToken: []byte(uuid.NewString()), tokens.KeyRelease: []byte(p.images.Pullspec),
		tokens.KeyConfig:   zipped(p.t, "the config of "+name),
		tokens.KeyPullHash: []byte(payload.Hash(machineconfig.PullSecret(user, password, p.mirror.Host()))),
		tokens.KeyHCHash:   []byte(machineconfig.ConfigurationHash),
	}
	for _, f := range f {
		f(s)
	}
	p.create(s)
	return s
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

func hcp(namespace string) *hyperv1.HostedControlPlane {
	service := func(s hyperv1.ServiceType) hyperv1.ServicePublishingStrategyMapping {
		return hyperv1.ServicePublishingStrategyMapping{Service: s, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{
			Type: hyperv1.Route, Route: &hyperv1.RoutePublishingStrategy{Hostname: strings.ToLower(string(s)) + ".example.com"},
		}}
	}
	return &hyperv1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{Name: "hcp", Namespace: namespace},
		Spec: hyperv1.HostedControlPlaneSpec{
			ReleaseImage: "quay.io/x/y:1", PullSecret: corev1.LocalObjectReference{Name: "pull-secret"},
			IssuerURL: "https://issuer.example.com", InfraID: "infra", Platform: hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
			Etcd: hyperv1.EtcdSpec{ManagementType: hyperv1.Managed, Managed: &hyperv1.ManagedEtcdSpec{
				Storage: hyperv1.ManagedEtcdStorageSpec{Type: hyperv1.PersistentVolumeEtcdStorage},
			}},
			Services: []hyperv1.ServicePublishingStrategyMapping{
				service(hyperv1.APIServer), service(hyperv1.OAuthServer), service(hyperv1.Konnectivity), service(hyperv1.Ignition),
			},
		},
	}
}

// user connects as the ServiceAccount that has the server's Role, and counts the
// requests that write.
func (p *location) user(count *counts) *rest.Config {
	conn := p.cluster.User("system:serviceaccount:" + p.namespace + ":ignition-server")
	conn.WarningHandler = rest.NoWarnings{}
	conn.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			count.add(r.Method, r.URL.Path)
			return next.RoundTrip(r)
		})
	})
	return conn
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// counts counts requests by method and path.
type counts struct {
	mu  sync.Mutex
	all map[string]int
}

func (c *counts) add(method, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]int{}
	}
	c.all[method+" "+path]++
}

// of counts requests of the method whose paths end so.
func (c *counts) of(method, suffix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, k := range c.all {
		if strings.HasPrefix(key, method+" ") && strings.HasSuffix(key, suffix) {
			n += k
		}
	}
	return n
}

// running is a server that runs.
type running struct {
	*location
	counts  counts
	addr    string
	metrics *prometheus.Registry
	workDir string
	stop    func()
	stopped atomic.Bool
	lossy   bool // it may end without having written what was served
}

// mirrored returns the document that forbids the source and names the mirror.
func (p *location) mirrored() string {
	entry := func(source, mirror string) string {
		return fmt.Sprintf(`- source: %s/%s
    mirrors: [%s/%s]
    mirrorSourcePolicy: NeverContactSource
`, p.source.Host(), source, p.mirror.Host(), mirror)
	}
	return "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: m}\nspec:\n  imageDigestMirrors:\n  " +
		entry(machineconfig.ReleaseRepository, machineconfig.MirroredRelease) + "  " +
		entry(machineconfig.ComponentRepository, machineconfig.MirroredComponents)
}

// run starts a server that reads its rules from a file.
func (p *location) run(change ...func(*controller.Process)) *running {
	p.t.Helper()
	r := &running{location: p, metrics: prometheus.NewRegistry(), workDir: p.t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	proc := controller.Process{
		Options: controller.Options{
			Namespace: p.namespace, Platform: "None", RegistryOverrides: "=", OverridesFile: p.file("policies.yaml", p.mirrored()),
			WorkDir: r.workDir, CertFile: p.cert, KeyFile: p.key,
			FeatureGate: p.file("gate.yaml", "kind: FeatureGate"), OSRelease: p.file("os-release", "VERSION_ID=\"9.6\"\n"),
		},
		REST: p.user(&r.counts), Base: p.base, Log: p.log(), MetricsAddr: "0", HealthAddr: "0", Metrics: r.metrics, Listener: l,
	}
	for _, f := range change {
		f(&proc)
	}
	r.workDir = proc.Options.WorkDir
	s, err := controller.New(p.t.Context(), proc)
	if err != nil {
		p.t.Fatal(err)
	}
	r.addr = s.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Start(ctx) }()
	r.stop = func() {
		if !r.stopped.CompareAndSwap(false, true) {
			return
		}
		cancel()
		err := <-ended
		if r.lossy && err != nil && strings.Contains(err.Error(), "reports of what was served were cut off") {
			return
		}
		if err != nil {
			p.t.Errorf("the server ended: %v", err)
		}
	}
	p.t.Cleanup(r.stop)
	return r
}

func (p *location) log() *zap.Logger {
	if os.Getenv("VERBOSE") == "" {
		return nil
	}
	return zaptest.NewLogger(p.t)
}

// node asks for a payload as a node does.
func (r *running) node(token string) (status int, body []byte, err error) {
	return ask(r.t.Context(), r.roots, r.addr, token)
}

// status asks for what a probe does.
func (r *running) status(path string) (int, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "https://"+r.addr+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func ask(ctx context.Context, roots *x509.CertPool, addr, token string) (status int, body []byte, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/ignition", nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(token)))
	req.Header.Set("NodePool", "clusters/np")
	req.Header.Set("TargetConfigVersionHash", "1")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// await returns the files of the payload once there is one for the token.
func (r *running) await(token string) (files machineconfig.Files) {
	r.t.Helper()
	cluster.Await(r.t, "a payload", func(context.Context) error {
		status, body, err := r.node(token)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		files, err = machineconfig.Decode(body)
		return err
	})
	return files
}

// awaitReport waits until a token Secret says so.
func (p *location) awaitReport(name, reason, message string) *corev1.Secret {
	p.t.Helper()
	s := new(corev1.Secret)
	cluster.Await(p.t, "the report "+reason+" "+message, func(context.Context) error {
		if err := p.get(name, s); err != nil {
			return err
		}
		if string(s.Data[tokens.KeyReason]) != reason || !strings.Contains(string(s.Data[tokens.KeyMessage]), message) {
			return fmt.Errorf("it says %s %q", s.Data[tokens.KeyReason], s.Data[tokens.KeyMessage])
		}
		return nil
	})
	return s
}

// untouched checks that nobody asked the source.
func (p *location) untouched() {
	p.t.Helper()
	if n := p.source.Count(); n != 0 {
		p.t.Errorf("the source got %d requests, such as %+v", n, p.source.Requests()[0])
	}
}
