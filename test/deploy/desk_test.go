package deploy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/servers"
)

// hypershiftInstall is what HyperShift's installer leaves that has our names.
const hypershiftInstall = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: hypershift}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: hypershift-operator}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: hypershift, labels: {app: hypershift}}
spec:
  selector: {matchLabels: {name: operator}}
  template:
    metadata: {labels: {name: operator, app: operator}}
    spec:
      serviceAccountName: operator
      containers:
      - {name: operator, image: "quay.io/hypershift/hypershift-operator:latest", args: [run, --private-platform=None], volumeMounts: [{name: serving-cert, mountPath: /var/run/secrets/serving-cert}]}
      volumes:
      - {name: serving-cert, secret: {secretName: manager-serving-cert}}
`

// desk is an administrator who does what docs/operators.md says, with the programs that it names. There
// are no controllers and no nodes in the cluster, so that the desk does what they would.
type desk struct {
	*cluster.Cluster
	dir, bin, ca, account string
	blocks                map[string][]string
	pods                  int
	stop                  func()
}

// The commands of docs/operators.md, in the order in which an administrator comes to need them:
// try, install, verify, upgrade, back to HyperShift's operator and here again, and remove all.
func TestOperatorsDesk(t *testing.T) {
	d := &desk{Cluster: cluster.Start(t), dir: t.TempDir(), bin: t.TempDir(), stop: func() {}}
	mirror, image := makeSite(t, d.Cluster)
	kubectlCreate(t, d.Cluster, fmt.Sprintf(hostedCluster, "one", image))
	d.ca = filepath.Join(d.dir, "ca.pem")
	write(t, d.ca, mirror.CA().PEM())
	d.prepare(t)

	if out := d.run(t, "dry-run", 1); !strings.Contains(out, "create Namespace clusters-one\n") || !strings.Contains(out, "; nothing was written\n") {
		t.Errorf("the dry run says\n%s", out)
	}
	if _, err := d.Dynamic(t).Resource(namespaces).Get(t.Context(), "clusters-one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the dry run: %v", err)
	}
	d.run(t, "install", 0)
	d.reconciled(t)
	d.run(t, "verify", 0)
	if out := d.run(t, "explain", 0); !strings.Contains(out, "quay.io/openshift-release-dev/ocp-release") {
		t.Errorf("explain says\n%s", out)
	}
	d.run(t, "dry-run", 0) // there is nothing left to do
	d.run(t, "upgrade", 0)
	d.run(t, "move-back", 0)
	hypershift := d.Kubectl(t, "apply", "--server-side", "--force-conflicts", "--field-manager=hypershift", "-f", "-")
	hypershift.Stdin = strings.NewReader(hypershiftInstall)
	if out, err := hypershift.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d.run(t, "move-here", 0)
	d.reconciled(t)
	role, err := kubernetes.NewForConfigOrDie(d.Config()).RbacV1().ClusterRoles().Get(t.Context(), "hypershift-operator", metav1.GetOptions{})
	if err != nil || len(role.Rules) < 2 || role.Rules[0].Verbs[0] == "*" {
		t.Errorf("HyperShift's rights are still there: %v, %v", role.Rules, err)
	}
	deployment, err := d.Dynamic(t).Resource(deployments).Namespace(deploy.Namespace).Get(t.Context(), "operator", metav1.GetOptions{})
	if err != nil || strings.Contains(fmt.Sprint(deployment.Object["spec"]), "serving-cert") {
		t.Errorf("HyperShift's parts are still there: %v, %v", deployment, err)
	}
	// A HostedCluster that is deleted while no operator runs.
	d.run(t, "move-back", 0)
	if out, err := d.Kubectl(t, "-n", "clusters", "delete", "--wait=false", "hostedcluster", "one").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d.run(t, "stuck", 0)
	kubectlCreate(t, d.Cluster, fmt.Sprintf(hostedCluster, "two", image))
	d.run(t, "upgrade", 0)
	cluster.Await(t, "the HostedCluster to be reconciled", func(ctx context.Context) error {
		return conditions(ctx, t, d.Cluster, "two", "ReconciliationSucceeded")
	})
	d.run(t, "uninstall", 0)
	for _, gone := range []string{"clusters-two", deploy.Namespace} {
		if _, err := d.Dynamic(t).Resource(namespaces).Get(t.Context(), gone, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("namespace %s after removing all: %v", gone, err)
		}
	}
}

// prepare reads the document, makes a checkout with the folder deploy, and builds the programs.
func (d *desk) prepare(t *testing.T) {
	t.Helper()
	root := deploy.Folder(t, "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	d.blocks = map[string][]string{}
	for _, m := range regexp.MustCompile("(?ms)^```sh ([a-z-]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		d.blocks[m[1]] = lines(m[2])
	}
	for _, name := range []string{"operator", "example"} {
		if err := os.CopyFS(filepath.Join(d.dir, "deploy", name), os.DirFS(deploy.Folder(t, name))); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", d.bin, root+"/cmd/hypershift-operator", root+"/cmd/mirrorchain").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tools, err := servers.Find(servers.ControlPlane)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(tools, "kubectl"), filepath.Join(d.bin, "kubectl")); err != nil {
		t.Fatal(err)
	}
	d.endNamespaces(t)
}

// run runs a block of the document, and returns what it printed. The last command ends with code.
func (d *desk) run(t *testing.T, name string, code int) string {
	t.Helper()
	if len(d.blocks[name]) == 0 {
		t.Fatalf("docs/operators.md has no block %q", name)
	}
	var printed strings.Builder
	for i, line := range d.blocks[name] {
		kubeconfig := d.Kubeconfig(t, d.Config())
		if _, inPod, ok := strings.Cut(line, " exec deployment/operator -- "); ok { // there is no pod
			line, kubeconfig = inPod, d.account
		}
		switch {
		case strings.HasPrefix(line, "go build -o hypershift-operator "): // it was built
			line = "ln -sf " + d.bin + "/hypershift-operator hypershift-operator"
		case strings.Contains(line, "rollout status deployment/operator"):
			d.roll(t)
		case strings.Contains(line, "delete deployment operator"), strings.Contains(line, "delete -k"):
			d.stop()
			d.stop = func() {}
		}
		out, ended := d.sh(t, line, kubeconfig)
		printed.WriteString(out)
		want := 0
		if i == len(d.blocks[name])-1 {
			want = code
		}
		if ended != want {
			t.Fatalf("%s: %s ended with %d, want %d\n%s", name, line, ended, want, out)
		}
	}
	return printed.String()
}

func (d *desk) sh(t *testing.T, line, kubeconfig string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = d.dir
	cmd.Env = []string{"PATH=" + d.bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig, "SSL_CERT_FILE=" + d.ca}
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// roll does what the Deployment's controller and a node do: it starts the operator as the Deployment
// says, and tells when it is ready.
func (d *desk) roll(t *testing.T) {
	t.Helper()
	d.stop()
	obj, err := d.Dynamic(t).Resource(deployments).Namespace(deploy.Namespace).Get(t.Context(), "operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := template(t, []*unstructured.Unstructured{obj})
	d.pods++
	pod.Namespace, pod.Name = deploy.Namespace, fmt.Sprint("operator-", d.pods)
	create(t, d.Cluster, pod)
	d.account = d.Kubeconfig(t, deploy.As(t, d.Cluster, deploy.Namespace, deploy.Account))
	p := start(t, pod, func(args, env []string) process.Config {
		return process.Config{
			Path: filepath.Join(d.bin, "hypershift-operator"), Args: args,
			Env: append(env, "KUBECONFIG="+d.account, "HOME="+t.TempDir(), "SSL_CERT_FILE="+d.ca),
		}
	})
	d.stop = func() { p.stop() }
	cluster.Await(t, "the operator to be ready", func(ctx context.Context) error { return get(ctx, "http://"+p.health+"/readyz") })
	status := fmt.Sprintf(`{"status":{"observedGeneration":%d,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}}`, obj.GetGeneration())
	if out, err := d.Kubectl(t, "-n", deploy.Namespace, "patch", "deployment", "operator", "--subresource=status", "--type=merge", "-p", status).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// reconciled waits until the operator has said so, and holds its lease.
func (d *desk) reconciled(t *testing.T) {
	t.Helper()
	cluster.Await(t, "the HostedCluster to be reconciled", func(ctx context.Context) error {
		return conditions(ctx, t, d.Cluster, "one", "ValidReleaseImage", "ReconciliationSucceeded", "OverridesHandedOver")
	})
}

// endNamespaces does what the namespace controller would, until the test has ended.
func (d *desk) endNamespaces(t *testing.T) {
	t.Helper()
	clients, err := kubernetes.NewForConfig(d.Config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			all, err := clients.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
			if err != nil {
				continue
			}
			for i := range all.Items {
				if ns := &all.Items[i]; !ns.DeletionTimestamp.IsZero() {
					ns.Spec.Finalizers = nil
					_, _ = clients.CoreV1().Namespaces().Finalize(ctx, ns, metav1.UpdateOptions{}) // else the next time
				}
			}
		}
	}()
}
