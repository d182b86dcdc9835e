package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/internal/test/kubelet"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/registry"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// sitePullSecret is the pull secret that a HostedCluster refers to.
const sitePullSecret = "site-pull-secret"

// The files of authorities that the programs read by themselves.
const (
	managedBundle = "--trust-bundle=/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
	userBundle    = "--trust-bundle=/etc/pki/tls/certs/user-ca-bundle.pem"
)

// osRelease says what system an image is of.
const osRelease = "/usr/lib/os-release"

// Definitions of the kinds of policy.
const (
	idmsCRD = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml"
	icspCRD = "operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml"
)

// site is what a test starts from.
type site struct {
	crds []string // of policies
	auth [2]registry.Auth
	args func(*world) []string // further ones of the hypershift-operator, nil for none
	// bare leaves the additional CA bundle out of the HostedCluster.
	bare bool
	// lacks keeps images from the first mirror: names of components.
	lacks []string
	// noMirrors leaves the mirrors out, for a test that has its own.
	noMirrors bool
}

// world is a management cluster with the hypershift-operator, a source that is down,
// and two mirrors of a private authority, each with a password of its own, that have
// both releases. Its methods are about one HostedCluster.
type world struct {
	*cluster.Cluster
	client.Client
	*kubelet.Kubelet
	namespace, name string // of the HostedCluster
	annotations     map[string]string
	auths           map[string]string // its pull secret: what [basic] returns, by host
	bare            bool
	ca              *testregistry.CA // of all registries
	source          *source
	mirrors         [2]*registry.Registry
	mirrorHosts     []string
	releases        [2]machineconfig.Images
	secrets         map[string][]string // that appear nowhere but in these Secrets, "NAMESPACE/NAME"
}

// controlPlane returns the namespace of the HostedCluster's control plane.
func (w *world) controlPlane() string { return w.namespace + "-" + w.name }

// pullSecrets are the Secrets that have the pull secret.
func (w *world) pullSecrets() []string {
	return []string{w.namespace + "/" + sitePullSecret, w.controlPlane() + "/pull-secret"}
}

func newWorld(t *testing.T, s site) *world {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		Cluster: cluster.Start(t), namespace: "clusters", name: "one", auths: map[string]string{}, bare: s.bare, ca: ca,
		source: newSource(t), secrets: map[string][]string{},
	}
	built := make(chan struct{}) // programs and images, beside what follows
	go func() {
		defer close(built)
		_, _ = programs() // an error is returned again below
	}()
	t.Cleanup(func() { <-built })
	crds := []*unstructured.Unstructured{cluster.HypershiftCRD(t, "hostedclusters"), cluster.HypershiftCRD(t, "hostedcontrolplanes")}
	for _, crd := range s.crds {
		crds = append(crds, cluster.OpenShiftCRD(t, crd))
	}
	w.Install(t, crds...)
	w.connect(t)
	make, err := images()
	if err != nil {
		t.Fatal(err)
	}
	w.releases = make(w.source.Host())
	if !s.noMirrors {
		w.startMirrors(t, s)
	}
	var args []string
	if s.args != nil {
		args = s.args(w)
	}
	w.deployOperator(t, args)

	bins, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	t.TempDir() // is removed after what follows has looked into it
	t.Cleanup(func() { w.tellsNoSecret(t) })
	w.Kubelet = kubelet.Run(t, w.Cluster, kubelet.Substitutions{
		Programs: bins,
		Files:    map[string]string{osRelease: "NAME=\"Red Hat Enterprise Linux\"\nVERSION_ID=\"9.6\"\n"},
		Defaults: map[string][]string{
			"control-plane-operator": {"--health-addr=:6060", managedBundle, userBundle},
			"ignition-server":        {managedBundle, userBundle, "--addr=:9090", "--metrics-addr=:8080", "--health-addr=127.0.0.1:0", "--work-dir=/payloads", "--os-release=" + osRelease},
		},
	})
	return w
}

func (w *world) connect(t *testing.T) {
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, hyperv1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.Client, err = client.New(w.Config(), client.Options{Scheme: types}); err != nil {
		t.Fatal(err)
	}
	w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
}

func (w *world) startMirrors(t *testing.T, s site) {
	for i := range w.mirrors {
		user := registry.User{Name: fmt.Sprint("puller-", i), Password: fmt.Sprint("Pa55w0rd-of-mirror-", i)}
		w.keep(user.Name, user.Password, w.pullSecrets()...)
		m := registry.Start(t, registry.Config{CA: w.ca, Auth: s.auth[i], User: user})
		w.mirrors[i], w.auths[m.Host()] = m, basic(user.Name, user.Password)
		w.mirrorHosts = append(w.mirrorHosts, m.Host())
		for _, r := range w.releases {
			m.Push(t, machineconfig.MirroredRelease, r.Version, r.Release)
			for name, img := range r.Components {
				if i > 0 || !slices.Contains(s.lacks, name) {
					m.Push(t, machineconfig.MirroredComponents, "", img)
				}
			}
		}
	}
}

// keep notes what must be told nobody, and the Secrets that may have it.
func (w *world) keep(user, password string, in ...string) {
	w.secrets[password], w.secrets[basic(user, password)] = in, in
}

// basic returns a user as "auth" of a .dockerconfigjson, and Basic authentication.
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// deployOperator applies the manifests, with what a site adds: its authority, and
// flags. Nothing runs it yet.
func (w *world) deployOperator(t *testing.T, args []string) {
	t.Helper()
	deploy.Apply(t, w.Cluster, "operator")
	w.create(t, w.authority(deploy.Namespace, "trusted-ca"))
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: deploy.Namespace, Name: "operator"}}
	edit(t, w, d, func(d *appsv1.Deployment) {
		c := &d.Spec.Template.Spec.Containers[0]
		c.Args = append(c.Args, args...)
	})
}

func (w *world) authority(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string]string{"ca-bundle.crt": string(w.ca.PEM())},
	}
}

func (w *world) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, obj := range objects {
		if err := w.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
}

// edit changes an object as it is now.
func edit[T client.Object](t *testing.T, w *world, obj T, how func(T)) {
	t.Helper()
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	before := obj.DeepCopyObject().(T)
	how(obj)
	if err := w.Patch(t.Context(), obj, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// pullSecret returns the HostedCluster's pull secret.
func (w *world) pullSecret() []byte { return dockerConfig(w.auths) }

// dockerConfig returns a .dockerconfigjson, of what [basic] returns by key.
func dockerConfig(auths map[string]string) []byte {
	entries := map[string]any{}
	for key, auth := range auths {
		entries[key] = map[string]string{"auth": auth}
	}
	b, err := json.Marshal(map[string]any{"auths": entries})
	if err != nil { // strings alone
		panic(err)
	}
	return b
}

// dockerSecret returns a Secret with a .dockerconfigjson.
func dockerSecret(namespace, name string, config []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: config},
	}
}

// host creates the HostedCluster with all that it refers to.
func (w *world) host(t *testing.T) *hyperv1.HostedCluster {
	t.Helper()
	var services []hyperv1.ServicePublishingStrategyMapping
	for _, s := range []hyperv1.ServiceType{hyperv1.APIServer, hyperv1.OAuthServer, hyperv1.Konnectivity, hyperv1.Ignition} {
		services = append(services, hyperv1.ServicePublishingStrategyMapping{
			Service: s, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{Type: hyperv1.Route},
		})
	}
	hc := &hyperv1.HostedCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.name, Annotations: w.annotations},
		Spec: hyperv1.HostedClusterSpec{
			Release:               hyperv1.Release{Image: w.releases[0].Pullspec},
			PullSecret:            corev1.LocalObjectReference{Name: sitePullSecret},
			AdditionalTrustBundle: &corev1.LocalObjectReference{Name: "site-ca"},
			InfraID:               "one-abcde",
			ClusterID:             "8a2d6e2c-0f3a-4f0e-9d1c-2b6a4f1f7c11",
			Platform:              hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
			Services:              services,
			Etcd: hyperv1.EtcdSpec{ManagementType: hyperv1.Managed, Managed: &hyperv1.ManagedEtcdSpec{
				Storage: hyperv1.ManagedEtcdStorageSpec{
					Type: hyperv1.PersistentVolumeEtcdStorage, PersistentVolume: &hyperv1.PersistentVolumeEtcdStorageSpec{},
				},
			}},
			Networking: hyperv1.ClusterNetworking{NetworkType: hyperv1.OVNKubernetes},
		},
	}
	w.create(t, dockerSecret(w.namespace, sitePullSecret, w.pullSecret()))
	if w.bare {
		hc.Spec.AdditionalTrustBundle = nil
	} else {
		w.create(t, w.authority(w.namespace, "site-ca"))
	}
	w.create(t, hc)
	return hc
}

// says waits for a condition of the HostedCluster; part is in its message.
func (w *world) says(t *testing.T, typ hyperv1.ConditionType, status metav1.ConditionStatus, part string) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("%s to be %s", typ, status), func(ctx context.Context) error {
		hc := new(hyperv1.HostedCluster)
		if err := w.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.name}, hc); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(hc.Status.Conditions, string(typ))
		if c == nil || c.Status != status || !strings.Contains(c.Message, part) {
			return fmt.Errorf("it is %+v; all are %+v", c, hc.Status.Conditions)
		}
		return nil
	})
}

// deployment waits for a Deployment of the control plane to be as wanted.
func (w *world) deployment(t *testing.T, name string, want func(*appsv1.Deployment) error) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	cluster.Await(t, "the Deployment "+name, func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKey{Namespace: w.controlPlane(), Name: name}, d); err != nil {
			return err
		}
		return want(d)
	})
	return d
}

// envIs wants a variable of the first container to have that value.
func envIs(name, want string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		for _, v := range d.Spec.Template.Spec.Containers[0].Env {
			if v.Name == name && v.Value == want {
				return nil
			}
			if v.Name == name {
				return fmt.Errorf("%s is %q, want %q", name, v.Value, want)
			}
		}
		return fmt.Errorf("there is no variable %s", name)
	}
}

// policy returns a mirror policy for both repositories of the source, digests only.
func (w *world) policy(kind string, mirrors ...*registry.Registry) *unstructured.Unstructured {
	apiVersion, field := "config.openshift.io/v1", "imageDigestMirrors"
	if kind == "ImageContentSourcePolicy" {
		apiVersion, field = "operator.openshift.io/v1alpha1", "repositoryDigestMirrors"
	}
	var entries []any
	for _, r := range [][2]string{
		{machineconfig.ReleaseRepository, machineconfig.MirroredRelease},
		{machineconfig.ComponentRepository, machineconfig.MirroredComponents},
	} {
		var list []any
		for _, m := range mirrors {
			list = append(list, m.Host()+"/"+r[1])
		}
		entries = append(entries, map[string]any{"source": w.source.Host() + "/" + r[0], "mirrors": list})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": "site"},
		"spec":     map[string]any{field: entries},
	}}
}

// never returns an ImageDigestMirrorSet with sources that are never contacted.
func never(p *unstructured.Unstructured) *unstructured.Unstructured {
	for _, entry := range p.Object["spec"].(map[string]any)["imageDigestMirrors"].([]any) {
		entry.(map[string]any)["mirrorSourcePolicy"] = "NeverContactSource"
	}
	return p
}

// overrides returns the value of OPENSHIFT_IMG_OVERRIDES for mirrors of both
// repositories.
func (w *world) overrides(mirrors ...*registry.Registry) string {
	var pairs []string
	for _, r := range [][2]string{
		{machineconfig.ReleaseRepository, machineconfig.MirroredRelease},
		{machineconfig.ComponentRepository, machineconfig.MirroredComponents},
	} {
		for _, m := range mirrors {
			pairs = append(pairs, w.source.Host()+"/"+r[0]+"="+m.Host()+"/"+r[1])
		}
	}
	return strings.Join(pairs, ",")
}

// tellsNoSecret looks for what is secret in what the operators wrote: logs, objects that
// everybody may read, and Secrets that are not to have it.
func (w *world) tellsNoSecret(t *testing.T) {
	reported := map[string]string{}
	for _, file := range w.Logs() {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		reported[file] = string(data)
	}
	for _, list := range []client.ObjectList{&hyperv1.HostedClusterList{}, &hyperv1.HostedControlPlaneList{}, &appsv1.DeploymentList{}, &corev1.EventList{}, &corev1.ConfigMapList{}, &corev1.PodList{}} {
		if err := w.List(context.Background(), list); err != nil {
			t.Error(err)
			continue
		}
		data, err := json.Marshal(list)
		if err != nil {
			t.Error(err)
		}
		reported[fmt.Sprintf("%T", list)] = string(data)
	}
	secrets := new(corev1.SecretList)
	if err := w.List(context.Background(), secrets); err != nil {
		t.Error(err)
	}
	for _, s := range secrets.Items {
		var all [][]byte
		for _, data := range s.Data {
			all = append(all, data)
		}
		reported[s.Namespace+"/"+s.Name] = string(bytes.Join(all, []byte("\n")))
	}
	for where, text := range reported {
		for s, in := range w.secrets {
			if strings.Contains(text, s) && !slices.Contains(in, where) {
				t.Errorf("%s has a secret in it, %q", where, s)
			}
		}
	}
}
