package hostedcontrolplane_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

const operatorImage = "registry.example.com/hypershift/cpo:1"

// site is a cluster, a source registry and a mirror, for one namespace at a time.
type site struct {
	cluster *cluster.Cluster
	client  client.WithWatch
}

func newSite(t *testing.T) *site {
	c := cluster.Start(t)
	c.Install(t, cluster.HypershiftCRD(t, "hostedcontrolplanes"))
	scheme, err := operator.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.NewWithWatch(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return &site{c, admin}
}

// location is the namespace of a control plane, with registries of its own.
type location struct {
	*site
	namespace      string
	source, mirror *testregistry.Registry
	base           *registry.Provider
	metrics        *prometheus.Registry // of the last run
	restarted      bool                 // the API server, which forbids at first what it does not know to be allowed
	signatures     *operator.Signatures // that releases need
	digest         string               // of the release, which source and mirror hold
	release        testpayload.Release
}

func (s *site) location(t *testing.T) *location {
	t.Helper()
	p := &location{site: s, namespace: "clusters-" + strings.ToLower(strings.Map(letters, t.Name()))}
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for _, into := range []**testregistry.Registry{&p.source, &p.mirror} {
		if *into, err = testregistry.Start(testregistry.Config{CA: ca}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*into).Close)
	}
	if p.base, err = registry.New(registry.Config{RootCAs: ca.Pool()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.base.Close() })
	p.release = testpayload.Release{Version: "4.17.3", Components: 30, Manifests: -1, BaseLayers: []int64{}, Repository: p.source.Host() + "/ocp/content"}
	p.digest = p.push(p.release)

	p.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}})
	p.create(t, p.pullSecret("{}"))
	p.create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "operator", Namespace: p.namespace}, Rules: hcpkg.OperatorRules()})
	p.create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "operator", Namespace: p.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "operator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: hcpkg.Name, Namespace: p.namespace}},
	})
	return p
}

func letters(r rune) rune {
	switch {
	case r == '/' || r == '_':
		return '-'
	case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
		return r
	}
	return -1
}

// push puts a release into both registries.
func (p *location) push(r testpayload.Release) string {
	img := testpayload.Must(r.Image())
	p.source.Push("ocp/release", r.Version, img)
	return p.mirror.Push("mirror/release", r.Version, img)
}

func (p *location) pullSecret(json string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: hypershift.PullSecret, Namespace: p.namespace},
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(json)},
	}
}

// auths returns a pull secret for one user of the mirror.
func (p *location) auths(t *testing.T, user, password string) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"auths": map[string]any{
		p.mirror.Host(): map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// image returns the release as its users name it.
func (p *location) image() string { return p.source.ByDigest("ocp/release", p.digest).String() }

// mirrored returns OPENSHIFT_IMG_OVERRIDES with the mirror.
func (p *location) mirrored() string {
	return p.source.Host() + "/ocp/release=" + p.mirror.Host() + "/mirror/release"
}

func (p *location) hcp() *hyperv1.HostedControlPlane {
	return &hyperv1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{Name: "hcp", Namespace: p.namespace},
		Spec: hyperv1.HostedControlPlaneSpec{
			ReleaseImage: p.image(), PullSecret: corev1.LocalObjectReference{Name: hypershift.PullSecret},
			IssuerURL: "https://issuer.example.com", InfraID: "infra",
			Platform: hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
			Etcd: hyperv1.EtcdSpec{ManagementType: hyperv1.Managed, Managed: &hyperv1.ManagedEtcdSpec{
				Storage: hyperv1.ManagedEtcdStorageSpec{Type: hyperv1.PersistentVolumeEtcdStorage},
			}},
			Services: []hyperv1.ServicePublishingStrategyMapping{
				route(hyperv1.APIServer), route(hyperv1.OAuthServer), route(hyperv1.Konnectivity), route(hyperv1.Ignition),
			},
		},
	}
}

func route(service hyperv1.ServiceType) hyperv1.ServicePublishingStrategyMapping {
	return hyperv1.ServicePublishingStrategyMapping{Service: service, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{
		Type: hyperv1.Route, Route: &hyperv1.RoutePublishingStrategy{Hostname: strings.ToLower(string(service)) + ".example.com"},
	}}
}

func (s *site) create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := s.client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// account connects as the operator's ServiceAccount, which may do what
// [hcpkg.OperatorRules] say and nothing else.
func (p *location) account() *rest.Config {
	conn := p.cluster.User("system:serviceaccount:" + p.namespace + ":" + hcpkg.Name)
	conn.WarningHandler = rest.NoWarnings{}
	return conn
}

// run runs the operator by its account, until stop is called or the test
// ends. Nothing that it does may be forbidden.
func (p *location) run(t *testing.T, env map[string]string, options hcpkg.Options) (stop func()) {
	t.Helper()
	return p.runAs(t, p.account(), env, options)
}

// options are those of an operator with these variables.
func (p *location) options(env map[string]string, options hcpkg.Options) hcpkg.Options {
	options.Namespace = p.namespace
	options.LookupEnv = func(name string) (string, bool) {
		v, ok := env[name]
		if !ok && name == "CONTROL_PLANE_OPERATOR_IMAGE" {
			return operatorImage, true
		}
		return v, ok
	}
	return options
}

func (p *location) runAs(t *testing.T, conn *rest.Config, env map[string]string, options hcpkg.Options) (stop func()) {
	t.Helper()
	options = p.options(env, options)
	ctx, cancel := context.WithCancel(t.Context())
	p.metrics = prometheus.NewRegistry()
	core, logged := observer.New(zap.InfoLevel)
	mgr, err := hcpkg.NewManager(ctx, hcpkg.Process{
		Options: options, REST: conn, Base: p.base, Signatures: p.signatures, Metrics: p.metrics, Log: zap.New(core), HealthAddr: "0",
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended: %v", err)
		}
		if p.restarted {
			return
		}
		for _, entry := range logged.All() {
			if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "is forbidden: User") {
				t.Errorf("the Role is too small: %s", text)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func (p *location) get(ctx context.Context, name string, into client.Object) error {
	return p.client.Get(ctx, types.NamespacedName{Namespace: p.namespace, Name: name}, into)
}

// await returns the HostedControlPlane once its condition is as wanted, of its present
// generation.
func (p *location) await(t *testing.T, condition string, status metav1.ConditionStatus, reason string) (*hyperv1.HostedControlPlane, string) {
	t.Helper()
	hcp, message := new(hyperv1.HostedControlPlane), ""
	cluster.Await(t, fmt.Sprintf("%s %s %s", condition, status, reason), func(ctx context.Context) error {
		if err := p.get(ctx, "hcp", hcp); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(hcp.Status.Conditions, condition)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != hcp.Generation {
			return fmt.Errorf("generation %d, conditions %+v", hcp.Generation, hcp.Status.Conditions)
		}
		message = c.Message
		return nil
	})
	return hcp, message
}

func (p *location) awaitValid(t *testing.T) *hyperv1.HostedControlPlane {
	t.Helper()
	hcp, _ := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionTrue, hyperv1.AsExpectedReason)
	return hcp
}

// deployment returns the ignition server's, which must be there.
func (p *location) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	if err := p.get(t.Context(), hypershift.IgnitionServer, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// touch makes a new generation of the HostedControlPlane, which changes nothing else.
func (p *location) touch(t *testing.T, channel string) {
	t.Helper()
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.Channel = channel })
}

func (p *location) change(t *testing.T, change func(*hyperv1.HostedControlPlane)) {
	t.Helper()
	hcp := new(hyperv1.HostedControlPlane)
	if err := p.get(t.Context(), "hcp", hcp); err != nil {
		t.Fatal(err)
	}
	before := hcp.DeepCopy()
	change(hcp)
	if err := p.client.Patch(t.Context(), hcp, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// never makes a rule that forbids its source.
func never(r policy.Rule) policy.Rule {
	r.NeverContactSource = true
	return r
}

func mustImage(p *location) testpayload.Image { return testpayload.Must(p.release.Image()) }
