package deploy_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/scrape"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

var (
	hostedClusters = schema.GroupVersionResource{Group: "hypershift.openshift.io", Version: "v1beta1", Resource: "hostedclusters"}
	deployments    = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	configMaps     = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// policyCRDs are all kinds that the operator reads policies from.
var policyCRDs = []string{
	"operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
	"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
	"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagetagmirrorsets.crd.yaml",
	"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_images.crd.yaml",
}

// The source of the release is a name that nobody has.
const releaseSource = "release.example.invalid/ocp/release"

// makeSite installs the CRDs of a management cluster, and its policies: of a mirror that has the
// release which image names.
func makeSite(t *testing.T, c *cluster.Cluster) (mirror *testregistry.Registry, image string) {
	t.Helper()
	crds := []*unstructured.Unstructured{cluster.HypershiftCRD(t, "hostedclusters"), cluster.HypershiftCRD(t, "hostedcontrolplanes")}
	for _, path := range policyCRDs {
		crds = append(crds, cluster.OpenShiftCRD(t, path))
	}
	c.Install(t, crds...)
	mirror, err := testregistry.Start(testregistry.Config{
		Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "puller", Password: "s3cret"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mirror.Close)
	release := testpayload.Must(testpayload.Release{Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
	image = releaseSource + "@" + mirror.Push("mirror/release", "4.17.3", release)
	auth := base64.StdEncoding.EncodeToString([]byte("puller:s3cret"))
	kubectlCreate(t, c, fmt.Sprintf(site, releaseSource, mirror.Host(), mirror.Host(), auth))
	return mirror, image
}

// The operator, started as the manifests say, as the account that they make, gets
// ready and brings a control plane about with the rights that it has.
func TestOperatorRuns(t *testing.T) {
	c := cluster.Start(t)
	mirror, image := makeSite(t, c)

	certs := t.TempDir()
	write(t, filepath.Join(certs, mirror.Host(), "ca.crt"), mirror.CA().PEM())
	bin := filepath.Join(t.TempDir(), "hypershift-operator")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/hypershift-operator").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	account := deploy.Operator(t, c)
	kubeconfig := c.Kubeconfig(t, account)

	asProcess := func(*testing.T, *corev1.Pod) launcher {
		return func(args, env []string) process.Config {
			return process.Config{
				Path: bin, Args: append(args, "--registry-cert-dir="+certs), Env: append(env, "KUBECONFIG="+kubeconfig, "HOME="+t.TempDir()),
			}
		}
	}
	var box *container
	for _, run := range []struct {
		name, folder string
		as           func(*testing.T, *corev1.Pod) launcher
	}{
		{"operator", "operator", asProcess},
		{"everything", "everything", asProcess},
		{"image", "operator", func(t *testing.T, pod *corev1.Pod) launcher {
			box = podContainer(t, pod, account, certs)
			return func(args, env []string) process.Config {
				return box.config(pod.Spec.Containers[0].Command[0], args, env)
			}
		}},
	} {
		t.Run(run.name, func(t *testing.T) {
			folder := run.name // what this one makes is called
			pod := template(t, deploy.Build(t, run.folder))
			launch := run.as(t, pod)
			pod.Namespace, pod.Name = deploy.Namespace, "operator-"+folder
			create(t, c, pod)
			kubectlCreate(t, c, fmt.Sprintf(hostedCluster, folder, image))
			p := start(t, pod, launch)
			cluster.Await(t, "the operator to be ready", func(ctx context.Context) error { return get(ctx, "http://"+p.health+"/readyz") })
			cluster.Await(t, "the HostedCluster to be reconciled", func(ctx context.Context) error {
				return conditions(ctx, t, c, folder, "ValidReleaseImage", "ReconciliationSucceeded", "OverridesHandedOver")
			})
			for _, path := range []string{"/healthz", "/readyz/mirror-rules"} {
				if err := get(t.Context(), "http://"+p.health+path); err != nil {
					t.Error(err)
				}
			}
			seen, err := scrape.Get(t.Context(), p.metrics)
			if err != nil {
				t.Fatal(err)
			}
			seen.Compare(t, "mirrorchain_")
			if err := seen.Lookups(mirror.Host(), "idms"); err != nil {
				t.Error(err)
			}
			if box != nil {
				box.confined(t, p.Pid())
				explains(t, box)
			}
			if p.page != "" {
				servesViewers(t, c, p)
			}
			log := p.stop()
			// What is refused is tried again and again, and told.
			for line := range strings.Lines(log) {
				if strings.Contains(line, "forbidden") || strings.Contains(line, "cannot ") {
					t.Errorf("the operator was refused something: %s", line)
				}
			}
			// What it makes would be taken in a namespace like its own, too.
			made := controlPlanePod(t, c, "clusters-"+folder)
			made.Namespace, made.Name = deploy.Namespace, "control-plane-"+folder
			create(t, c, made)
			for _, arg := range pod.Spec.Containers[0].Args {
				switch name, value, _ := strings.Cut(arg, "="); name {
				case "--control-plane-operator-image":
					if got := made.Spec.Containers[0].Image; got != value {
						t.Errorf("the control-plane-operator's image is %s, want %s", got, value)
					}
				case "--override-handover":
					if _, err := c.Dynamic(t).Resource(configMaps).Namespace("clusters-"+folder).Get(t.Context(), "mirrorchain-overrides", metav1.GetOptions{}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// site is a policy and a pull secret.
const site = `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: releases}
spec:
  imageDigestMirrors:
  - source: %s
    mirrors: [%s/mirror/release]
---
apiVersion: v1
kind: Namespace
metadata: {name: clusters}
---
apiVersion: v1
kind: Secret
metadata: {name: pull-secret, namespace: clusters}
stringData:
  .dockerconfigjson: '{"auths":{%q:{"auth":%q}}}'
`

const hostedCluster = `
apiVersion: hypershift.openshift.io/v1beta1
kind: HostedCluster
metadata: {name: %s, namespace: clusters}
spec:
  release: {image: %q}
  pullSecret: {name: pull-secret}
  infraID: abcde
  clusterID: 8a2d6e2c-0f3a-4f0e-9d1c-2b6a4f1f7c11
  platform: {type: None}
  services:
  - {service: APIServer, servicePublishingStrategy: {type: Route}}
  - {service: OAuthServer, servicePublishingStrategy: {type: Route}}
  - {service: Konnectivity, servicePublishingStrategy: {type: Route}}
  - {service: Ignition, servicePublishingStrategy: {type: Route}}
  etcd: {managementType: Managed, managed: {storage: {type: PersistentVolume, persistentVolume: {}}}}
  networking: {networkType: OVNKubernetes}
`

// launcher says how the operator is started with arguments and variables.
type launcher func(args, env []string) process.Config

// running is the operator's process.
type running struct {
	*process.Process
	health, metrics string        // where it says how it is, and what it did
	page            string        // where its status page is, "" for nowhere
	stop            func() string // ends it as a node does, and returns what it wrote
}

// start runs the pod's container.
func start(t *testing.T, pod *corev1.Pod, launch launcher) *running {
	t.Helper()
	p := &running{health: process.FreeAddress(t), metrics: process.FreeAddress(t)}
	c := pod.Spec.Containers[0]
	if len(c.Command) != 1 || c.Command[0] != "/usr/bin/hypershift-operator" {
		t.Fatalf("the command is %v", c.Command)
	}
	var env, expand []string
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			value = map[string]string{"metadata.namespace": pod.Namespace, "metadata.name": pod.Name}[v.ValueFrom.FieldRef.FieldPath]
		}
		env, expand = append(env, v.Name+"="+value), append(expand, "$("+v.Name+")", value)
	}
	// Not of a test machine: ports on all addresses, and folders that a pod has mounted.
	moved := map[string]string{"--metrics-addr": p.metrics, "--health-addr": p.health}
	if slices.Contains(c.Args, "--status-cert-dir=/etc/status-cert") {
		p.page = process.FreeAddress(t)
		_, port, _ := strings.Cut(p.page, ":")
		moved["--status-bind-address"], moved["--status-cert-dir"] = ":"+port, statusCertificate(t)
	}
	var args []string
	for _, arg := range c.Args {
		arg = strings.NewReplacer(expand...).Replace(arg)
		if name, _, _ := strings.Cut(arg, "="); moved[name] != "" {
			arg = name + "=" + moved[name]
		}
		args = append(args, arg)
	}
	cfg := launch(args, env)
	cfg.Log = filepath.Join(t.TempDir(), "log")
	var err error
	if p.Process, err = process.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(p.Tail())
		}
	})
	p.stop = func() string {
		ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
		defer cancel()
		if err := p.Terminate(ctx); err != nil {
			t.Error(err)
		}
		if code := p.ExitCode(); code != 0 {
			t.Errorf("the operator ended with %d", code)
		}
		log, err := p.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(log)
	}
	return p
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// conditions returns an error unless all that are wanted are True on the HostedCluster.
func conditions(ctx context.Context, t *testing.T, c *cluster.Cluster, name string, want ...string) error {
	hc, err := c.Dynamic(t).Resource(hostedClusters).Namespace("clusters").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	all, _, _ := unstructured.NestedSlice(hc.Object, "status", "conditions")
	for _, typ := range want {
		if !slices.ContainsFunc(all, func(c any) bool { m := c.(map[string]any); return m["type"] == typ && m["status"] == "True" }) {
			return fmt.Errorf("%s is not True: %v", typ, all)
		}
	}
	return nil
}

func controlPlanePod(t *testing.T, c *cluster.Cluster, namespace string) *corev1.Pod {
	t.Helper()
	obj, err := c.Dynamic(t).Resource(deployments).Namespace(namespace).Get(t.Context(), "control-plane-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	monitored(t, obj)
	return template(t, []*unstructured.Unstructured{obj})
}

func kubectlCreate(t *testing.T, c *cluster.Cluster, text string) {
	t.Helper()
	cmd := c.Kubectl(t, "create", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func create(t *testing.T, c *cluster.Cluster, pod *corev1.Pod) {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Dynamic(t).Resource(pods).Namespace(pod.Namespace).Create(t.Context(), &unstructured.Unstructured{Object: fields}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
