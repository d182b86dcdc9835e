package hostedcluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources/idms"
)

const (
	user, password    = "puller", "s3cret"
	source            = "release.example.invalid/ocp/release" // nobody has that name
	operatorNamespace = "hypershift"
	ownImage          = "quay.io/acme/operator:v1"
)

// world is a management cluster, a mirror with one release, and the operator.
type world struct {
	*cluster.Cluster
	client.WithWatch
	mirror *testregistry.Registry
	image  string // the release, at its source
}

func newWorld(t testing.TB) *world {
	w := &world{Cluster: cluster.Start(t)}
	scheme, err := operator.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	if w.WithWatch, err = client.NewWithWatch(w.Config(), client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"hostedclusters", "hostedcontrolplanes"} {
		w.Install(t, cluster.HypershiftCRD(t, kind))
	}
	if w.mirror, err = testregistry.Start(testregistry.Config{
		Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: user, Password: password}}},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.mirror.Close)
	release := testpayload.Must(testpayload.Release{Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
	digest := w.mirror.Push("mirror/release", "4.17.3", release)
	w.image = fmt.Sprint(source, "@", digest)
	w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters"}})
	w.permit(t)
	return w
}

// permit gives the operator's account what the operator says it needs, and nothing
// else.
func (w *world) permit(t testing.TB) {
	t.Helper()
	to := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: "operator"}}
	ref := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: Owner}
	}
	name, named := metav1.ObjectMeta{Name: Owner}, metav1.ObjectMeta{Namespace: operatorNamespace, Name: Owner}
	w.create(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}},
		&rbacv1.ClusterRole{ObjectMeta: name, Rules: OperatorRules()},
		&rbacv1.ClusterRoleBinding{ObjectMeta: name, Subjects: to, RoleRef: ref("ClusterRole")},
		&rbacv1.Role{ObjectMeta: named, Rules: NamespaceRules()},
		&rbacv1.RoleBinding{ObjectMeta: named, Subjects: to, RoleRef: ref("Role")},
	)
}

// account connects as the operator does.
func (w *world) account() *rest.Config {
	return w.User("system:serviceaccount:" + operatorNamespace + ":operator")
}

// options returns those of an operator that reaches the mirror alone.
func (w *world) options(t testing.TB) Options {
	return Options{
		Settings: Settings{OperatorImage: ownImage},
		Process: operator.Process{
			REST: w.account(), Log: zaptest.NewLogger(t),
			Registry: registry.Config{RootCAs: w.mirror.CA().Pool(), Dial: w.onlyMirror},
		},
		Namespace: operatorNamespace,
		Metrics:   prometheus.NewRegistry(),
		Sources:   idms.Config{AbsentPoll: 50 * time.Millisecond},
	}
}

// operate runs the operator until it is stopped or the test has ended.
func (w *world) operate(t testing.TB, change func(*Options)) (stop func()) {
	t.Helper()
	o := w.options(t)
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// versions returns those of the objects in a control plane namespace, by kind.
func (w *world) versions(t *testing.T, hc *hyperv1.HostedCluster) map[string]string {
	t.Helper()
	ns := hypershift.ControlPlaneNamespace(hc)
	out := map[string]string{}
	for kind, obj := range map[string]client.Object{
		"Namespace":          &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}},
		"Secret":             &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.PullSecret}},
		"HostedControlPlane": &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hc.Name}},
		"ServiceAccount":     &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.ControlPlaneOperator}},
		"Role":               &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.ControlPlaneOperator}},
		"RoleBinding":        &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.ControlPlaneOperator}},
		"Deployment":         &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.ControlPlaneOperator}},
	} {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
			t.Fatal(err)
		}
		out[kind] = obj.GetResourceVersion()
	}
	return out
}

// onlyMirror reaches the mirror alone: names are not looked up.
func (w *world) onlyMirror(ctx context.Context, network, address string) (net.Conn, error) {
	if address != w.mirror.Main().Addr() {
		return nil, fmt.Errorf("%s cannot be reached", address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (w *world) create(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, obj := range objects {
		var err error
		// A kind that was installed just now may not be known everywhere yet.
		cluster.Await(t, "the kind of "+obj.GetName(), func(ctx context.Context) error {
			if err = w.Create(ctx, obj); apimeta.IsNoMatchError(err) {
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// change edits obj as it is now.
func change[T client.Object](t testing.TB, w *world, obj T, edit func(T)) {
	t.Helper()
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	before := obj.DeepCopyObject().(T)
	edit(obj)
	if err := w.Patch(t.Context(), obj, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) pullSecret(auth string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "my-pull-secret"},
		Data:       map[string][]byte{hypershift.PullSecretKey: []byte(auth)},
	}
}

func (w *world) auth(password string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, w.mirror.Host(), base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

func (w *world) hostedCluster(name string) *hyperv1.HostedCluster {
	var services []hyperv1.ServicePublishingStrategyMapping
	for _, s := range []hyperv1.ServiceType{hyperv1.APIServer, hyperv1.OAuthServer, hyperv1.Konnectivity, hyperv1.Ignition} {
		services = append(services, hyperv1.ServicePublishingStrategyMapping{
			Service: s, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{Type: hyperv1.Route},
		})
	}
	return &hyperv1.HostedCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: name},
		Spec: hyperv1.HostedClusterSpec{
			Release:    hyperv1.Release{Image: w.image},
			PullSecret: corev1.LocalObjectReference{Name: "my-pull-secret"},
			InfraID:    name + "-abcde",
			ClusterID:  "8a2d6e2c-0f3a-4f0e-9d1c-2b6a4f1f7c11",
			Platform:   hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
			Services:   services,
			Etcd: hyperv1.EtcdSpec{
				ManagementType: hyperv1.Managed,
				Managed: &hyperv1.ManagedEtcdSpec{Storage: hyperv1.ManagedEtcdStorageSpec{
					Type: hyperv1.PersistentVolumeEtcdStorage, PersistentVolume: &hyperv1.PersistentVolumeEtcdStorageSpec{},
				}},
			},
			Networking: hyperv1.ClusterNetworking{NetworkType: hyperv1.OVNKubernetes},
		},
	}
}

func (w *world) idms(name string, mirrors ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"imageDigestMirrors": []any{map[string]any{"source": source, "mirrors": mirrors}}},
	}}
}

// cpo waits for the control-plane-operator's Deployment of a cluster to be as wanted.
func (w *world) cpo(t *testing.T, hc *hyperv1.HostedCluster, want func(*appsv1.Deployment) error) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	cluster.Await(t, "the Deployment", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hypershift.ControlPlaneOperator}, d); err != nil {
			return err
		}
		return want(d)
	})
	return d
}

func envOf(d *appsv1.Deployment, name string) string {
	for _, v := range d.Spec.Template.Spec.Containers[0].Env {
		if v.Name == name {
			return v.Value
		}
	}
	return "not there"
}

func overridesAre(want string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		if got := envOf(d, "OPENSHIFT_IMG_OVERRIDES"); got != want {
			return fmt.Errorf("overrides are %q, want %q", got, want)
		}
		return nil
	}
}

// says waits for a condition of a cluster; part is in its message.
func (w *world) says(t *testing.T, hc *hyperv1.HostedCluster, typ hyperv1.ConditionType, status metav1.ConditionStatus, reason, part string) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("%s=%s %s", typ, status, reason), func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(hc), hc); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(hc.Status.Conditions, string(typ))
		if c == nil || c.Status != status || reason != "" && c.Reason != reason || !strings.Contains(c.Message, part) || c.ObservedGeneration != hc.Generation {
			return fmt.Errorf("generation %d, condition %+v", hc.Generation, c)
		}
		return nil
	})
}

// saysNothing waits for a cluster to have no condition of that type.
func (w *world) saysNothing(t *testing.T, hc *hyperv1.HostedCluster, typ hyperv1.ConditionType) {
	t.Helper()
	cluster.Await(t, string(typ)+" to go", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(hc), hc); err != nil {
			return err
		}
		if c := apimeta.FindStatusCondition(hc.Status.Conditions, string(typ)); c != nil {
			return fmt.Errorf("it is still there: %+v", c)
		}
		return nil
	})
}
