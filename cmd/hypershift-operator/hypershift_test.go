package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcluster"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/kubelet"
)

// The Deployments that HyperShift's installer and operators write start our binaries, all of
// which get ready. Flags without an effect are told of once, and only those that ask for
// something.
func TestHyperShiftDeployments(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"hypershift-operator", "control-plane-operator"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../"+name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	c := cluster.Start(t)
	c.Install(t, cluster.HypershiftCRD(t, "hostedclusters"), cluster.HypershiftCRD(t, "hostedcontrolplanes"))
	scheme, err := operator.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	create := func(objects ...client.Object) {
		t.Helper()
		for _, obj := range objects {
			if err := admin.Create(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
		}
	}
	const installed, hosted = "hypershift", "clusters-one"
	made, err := pki.Ensure(pki.Config{Authority: "ca", Name: "any", Hosts: []string{"127.0.0.1"}}, pki.Pair{}, pki.Pair{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{installed, hosted} {
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "some-credentials"}, Data: map[string][]byte{"credentials": []byte("[default]")}},
			&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "openshift-config-managed-trusted-ca-bundle"},
				Data:       map[string]string{"ca-bundle.crt": string(made.Authority.Data()[corev1.TLSCertKey])},
			})
	}
	create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: installed, Name: "manager-serving-cert"}, Data: made.Serving.Data()},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: hosted, Name: "ignition-server"}, Data: made.Serving.Data()},
	)
	account := func(namespace, name string, rules []rbacv1.PolicyRule) {
		t.Helper()
		meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
		create(&corev1.ServiceAccount{ObjectMeta: meta}, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
		})
	}
	account(installed, "operator", hostedcluster.NamespaceRules())
	account(hosted, "control-plane-operator", hostedcontrolplane.OperatorRules())
	account(hosted, "ignition-server", hostedcontrolplane.IgnitionRules())
	create(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "operator"}, Rules: hostedcluster.OperatorRules()},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "operator"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "operator"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: installed, Name: "operator"}},
		})

	text, err := os.ReadFile("testdata/hypershift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []client.ObjectKey
	for _, doc := range strings.Split(string(text), "\n---\n") {
		d := new(appsv1.Deployment)
		if err := yaml.UnmarshalStrict([]byte(doc), d); err != nil {
			t.Fatal(err)
		}
		if d.Name == "control-plane-operator" { // the port of its probes is not stated, which the test needs
			ports := &d.Spec.Template.Spec.Containers[0].Ports
			*ports = append(*ports, corev1.ContainerPort{Name: "health", ContainerPort: 6060})
		}
		create(d)
		names = append(names, client.ObjectKeyFromObject(d))
	}
	operators := filepath.Join(bin, "control-plane-operator")
	k := kubelet.Run(t, c, kubelet.Substitutions{
		Programs: map[string]string{"/usr/bin/hypershift-operator": filepath.Join(bin, "hypershift-operator"), "/usr/bin/control-plane-operator": operators},
		Files:    map[string]string{"/usr/lib/os-release": "VERSION_ID=\"9.6\"\n"},
		Defaults: map[string][]string{
			"operator":               {"--health-addr=0"},
			"control-plane-operator": {"--health-probe-addr=:6060"},
			"ignition-server":        {"--addr=:9090", "--metrics-addr=:8080", "--health-addr=0", "--work-dir=/payloads", "--os-release=/usr/lib/os-release"},
		},
	})
	for _, name := range names {
		k.Ready(t, name.Namespace, name.Name)
	}

	reported := map[string]string{}
	for _, file := range k.Logs() {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(filepath.Base(file), name.Namespace+"-"+name.Name) {
				reported[name.Name] += string(b)
			}
		}
	}
	const warning = "have no effect here"
	if n := strings.Count(reported["operator"], warning); n != 1 {
		t.Errorf("the operator tells %d times of flags without effect:\n%s", n, reported["operator"])
	}
	for _, flag := range []string{"cert-dir", "private-platform", "enable-validating-webhook", "hcp-egress-block-cidrs", "scale-from-zero-creds"} {
		if !strings.Contains(reported["operator"], fmt.Sprintf("%q", "--"+flag)) {
			t.Errorf("it does not name --%s", flag)
		}
	}
	if strings.Contains(reported["operator"], `"--enable-ocp-cluster-monitoring"`) {
		t.Error("it names a flag that asks for nothing")
	}
	if !strings.Contains(reported["operator"], "nothing to prepare") { // at fixed paths, which this machine does not have
		t.Errorf("init does not say what it did:\n%s", reported["operator"])
	}
	for _, name := range []string{"control-plane-operator", "ignition-server"} {
		if strings.Contains(reported[name], warning) {
			t.Errorf("%s warns of what asks for nothing:\n%s", name, reported[name])
		}
	}
}
