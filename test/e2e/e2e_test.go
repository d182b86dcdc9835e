package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/registry"
)

const overridesVariable = "OPENSHIFT_IMG_OVERRIDES"

// rollOut creates the HostedCluster and waits until its control plane runs, with these
// overrides in the environment of both Deployments.
func (w *world) rollOut(t *testing.T, cpo, ignition string) {
	t.Helper()
	w.host(t)
	w.rolledOut(t, cpo, ignition)
}

// rolledOut does what rollOut does, for a HostedCluster that is there.
func (w *world) rolledOut(t *testing.T, cpo, ignition string) {
	t.Helper()
	w.says(t, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "")
	w.deployment(t, agentCPO, envIs(overridesVariable, cpo))
	w.Ready(t, w.controlPlane(), agentCPO)
	w.says(t, hyperv1.ValidReleaseInfo, metav1.ConditionTrue, "")
	w.others(t)
	w.deployment(t, agentIgnition, envIs(overridesVariable, ignition))
	w.Ready(t, w.controlPlane(), agentIgnition)
}

// restarts fails the test unless each Deployment had so many pods.
func (w *world) restarts(t *testing.T, ho, cpo, ignition int) {
	t.Helper()
	for _, d := range []struct {
		namespace, name string
		want            int
	}{{"hypershift", "operator", ho}, {w.controlPlane(), agentCPO, cpo}, {w.controlPlane(), agentIgnition, ignition}} {
		if n := w.Started(d.namespace, d.name); n != d.want {
			t.Errorf("%s/%s was started %d times, want %d", d.namespace, d.name, n, d.want)
		}
	}
}

// set replaces what a policy says.
func (w *world) set(t *testing.T, policy *unstructured.Unstructured) {
	t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(policy.GroupVersionKind())
	live.SetName(policy.GetName())
	edit(t, w, live, func(p *unstructured.Unstructured) { p.Object["spec"] = policy.Object["spec"] })
}

// rules waits until the process of a Deployment says in its metrics that other rules
// than those before are in force, and returns their version.
func (w *world) rules(t *testing.T, deployment, before string) (version string) {
	t.Helper()
	pod := w.Ready(t, w.controlPlane(), deployment)
	cluster.Await(t, "rules of "+deployment, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Address(8080)+"/metrics", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		m := inForce.FindSubmatch(body)
		if m == nil || string(m[1]) == before {
			return fmt.Errorf("metrics say %q", m)
		}
		version = string(m[1])
		return nil
	})
	return version
}

var inForce = regexp.MustCompile(`mirrorchain_rules_info\{version="(\w+)"\} 1`)

// From a policy to a node, and again after a change of the policy.
func TestDigestMirrorSet(t *testing.T) {
	testMirrors(t, idmsCRD, "ImageDigestMirrorSet")
}

// The same with the older kind.
func TestContentSourcePolicy(t *testing.T) {
	testMirrors(t, icspCRD, "ImageContentSourcePolicy")
}

func testMirrors(t *testing.T, crd, kind string) {
	w := newWorld(t, site{crds: []string{crd}, auth: [2]registry.Auth{registry.Token, registry.Basic}})
	w.create(t, w.policy(kind, w.mirrors[0]))
	w.rollOut(t, w.overrides(w.mirrors[0]), w.overrides(w.mirrors[0]))
	before := w.nodePool(t, "before", w.releases[0])
	w.canonical(t, before, w.boots(t, before))
	w.pulled(t, 0, agentHO, machineconfig.MirroredRelease, w.releases[0].Release)
	w.pulled(t, 0, agentCPO, machineconfig.MirroredRelease, w.releases[0].Release)
	w.pulledPayload(t, 0, w.releases[0])

	// The mirror moves.
	w.set(t, w.policy(kind, w.mirrors[1]))
	for _, name := range []string{agentCPO, agentIgnition} {
		w.deployment(t, name, envIs(overridesVariable, w.overrides(w.mirrors[1])))
		w.Ready(t, w.controlPlane(), name)
	}
	w.mirrors[0].Stop(t) // not before: who knows the old rules alone would ask the source
	after := w.nodePool(t, "after", w.releases[1])
	w.canonical(t, after, w.boots(t, after))
	w.pulledPayload(t, 1, w.releases[1])
	w.boots(t, before) // whose payload went with the pod
	w.restarts(t, 1, 2, 2)
	w.sourceUntouched(t)
	w.baseUntouched(t)
}

// Both kinds for the same sources are merged: either mirror alone will do.
func TestBothKinds(t *testing.T) {
	w := newWorld(t, site{crds: []string{idmsCRD, icspCRD}, auth: [2]registry.Auth{registry.Basic, registry.Token}})
	w.create(t, w.policy("ImageContentSourcePolicy", w.mirrors[0]), w.policy("ImageDigestMirrorSet", w.mirrors[1]))
	order := []int{0, 1} // nobody states one: alphabetical
	if w.mirrors[1].Host() < w.mirrors[0].Host() {
		order = []int{1, 0}
	}
	merged := w.overrides(w.mirrors[order[0]], w.mirrors[order[1]])
	w.rollOut(t, merged, merged)
	w.mirrors[order[0]].Stop(t)
	p := w.nodePool(t, "one", w.releases[0])
	w.canonical(t, p, w.boots(t, p))
	w.pulledPayload(t, order[1], w.releases[0])
	w.restarts(t, 1, 1, 1)
	w.sourceUntouched(t)
}

// Only --registry-overrides, on a cluster that knows no policies: the one thing that
// changes results, too.
func TestRegistryOverrides(t *testing.T) {
	w := newWorld(t, site{auth: [2]registry.Auth{registry.Token, registry.Basic}, args: func(w *world) []string {
		return []string{"--registry-overrides=" + w.overrides(w.mirrors[0])}
	}})
	w.rollOut(t, "=", w.overrides(w.mirrors[0]))
	for _, name := range []string{agentCPO, agentIgnition} {
		d := w.deployment(t, name, func(*appsv1.Deployment) error { return nil })
		c := d.Spec.Template.Spec.Containers[0]
		if want := w.mirrors[0].Host() + "/" + machineconfig.MirroredComponents + "@"; !strings.HasPrefix(c.Image, want) {
			t.Errorf("%s has image %s, want %s...", name, c.Image, want)
		}
		args := strings.Join(c.Args, " ")
		if !strings.Contains(args, w.overrides(w.mirrors[0])) {
			t.Errorf("%s is not told the overrides: %s", name, args)
		}
	}
	p := w.nodePool(t, "one", w.releases[0])
	files := w.boots(t, p)
	want := w.mirrors[0].Host() + "/" + machineconfig.MirroredRelease + "@" + w.releases[0].Release.Digest
	if args := files["operator.args"]; !strings.Contains(args, want) {
		t.Errorf("--release-image is not %s: %s", want, args)
	}
	w.pulledPayload(t, 0, w.releases[0])
	w.sourceUntouched(t)
}

// An image is missing on the only mirror, and the source is forbidden.
func TestNeverContactSource(t *testing.T) {
	w := newWorld(t, site{crds: []string{idmsCRD}, auth: [2]registry.Auth{registry.Basic, registry.Token}, lacks: []string{"machine-config-operator"}})
	w.create(t, never(w.policy("ImageDigestMirrorSet", w.mirrors[0])))
	w.rollOut(t, w.overrides(w.mirrors[0]), w.overrides(w.mirrors[0]))
	p := w.nodePool(t, "one", w.releases[0])
	w.reason(t, p, "InvalidConfig", w.mirrors[0].Host()+"/"+machineconfig.MirroredComponents)
	if status, _, _ := w.get(t, p, p.token); status != 511 {
		t.Errorf("status %d while there is no payload", status)
	}
	w.sourceUntouched(t)

	// A mirror that has it.
	w.set(t, never(w.policy("ImageDigestMirrorSet", w.mirrors[0], w.mirrors[1])))
	w.canonical(t, p, w.boots(t, p))
	w.pulled(t, 1, agentIgnition, machineconfig.MirroredComponents, w.releases[0].Components["machine-config-operator"])
	w.sourceUntouched(t)

	// Where the source may be asked it is: so the counter counts.
	w.set(t, w.policy("ImageDigestMirrorSet", w.mirrors[0]))
	w.nodePool(t, "two", w.releases[0])
	cluster.Await(t, "the source to be asked", func(context.Context) error {
		if w.source.connections.Load() == 0 {
			return fmt.Errorf("nobody has")
		}
		return nil
	})
}

// With the ConfigMap hand-over a change of policy reaches nodes and changes no
// Deployment.
func TestConfigMapHandover(t *testing.T) {
	w := newWorld(t, site{
		crds: []string{idmsCRD}, auth: [2]registry.Auth{registry.Basic, registry.Basic},
		args: func(*world) []string { return []string{"--override-handover=configmap"} },
	})
	w.create(t, w.policy("ImageDigestMirrorSet", w.mirrors[0]))
	w.rollOut(t, "=", "=")
	before := w.nodePool(t, "before", w.releases[0])
	w.canonical(t, before, w.boots(t, before))
	w.pulledPayload(t, 0, w.releases[0])

	old := map[string]string{}
	for _, name := range []string{agentCPO, agentIgnition} {
		old[name] = w.rules(t, name, "")
	}
	w.set(t, w.policy("ImageDigestMirrorSet", w.mirrors[1]))
	for name, before := range old {
		w.rules(t, name, before)
	}
	w.mirrors[0].Stop(t)
	after := w.nodePool(t, "after", w.releases[1])
	w.canonical(t, after, w.boots(t, after))
	w.pulledPayload(t, 1, w.releases[1])
	w.boots(t, before)
	w.restarts(t, 1, 1, 1)
	for _, name := range []string{agentCPO, agentIgnition} {
		if d := w.deployment(t, name, func(*appsv1.Deployment) error { return nil }); d.Generation != 1 {
			t.Errorf("the Deployment %s has generation %d", name, d.Generation)
		}
	}
	w.sourceUntouched(t)
}

// A cluster without the kinds of policy, and then with one of them.
func TestKindsAbsentThenInstalled(t *testing.T) {
	w := newWorld(t, site{auth: [2]registry.Auth{registry.Basic, registry.Basic}})
	direct := w.releases[0].Pullspec
	w.releases[0].Pullspec = w.mirrors[0].Host() + "/" + machineconfig.MirroredRelease + "@" + w.releases[0].Release.Digest
	w.rollOut(t, "=", "=")
	w.sourceUntouched(t)

	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.policy("ImageDigestMirrorSet", w.mirrors[0]))
	w.deployment(t, agentCPO, envIs(overridesVariable, w.overrides(w.mirrors[0])))
	w.deployment(t, agentIgnition, envIs(overridesVariable, w.overrides(w.mirrors[0])))
	w.releases[0].Pullspec = direct
	p := w.nodePool(t, "one", w.releases[0])
	w.canonical(t, p, w.boots(t, p))
	w.restarts(t, 1, 2, 2)
	w.sourceUntouched(t)
}

// The authority of the mirrors is known to the management cluster alone, as after a plain
// installation of a site without access to the internet.
func TestAuthorityOfTheManagementCluster(t *testing.T) {
	w := newWorld(t, site{crds: []string{idmsCRD}, auth: [2]registry.Auth{registry.Basic, registry.Token}, bare: true})
	w.create(t, w.policy("ImageDigestMirrorSet", w.mirrors[0]))
	w.rollOut(t, w.overrides(w.mirrors[0]), w.overrides(w.mirrors[0]))
	p := w.nodePool(t, "one", w.releases[0])
	w.canonical(t, p, w.boots(t, p))
	w.pulled(t, 0, agentCPO, machineconfig.MirroredRelease, w.releases[0].Release)
	w.pulledPayload(t, 0, w.releases[0])
	w.restarts(t, 1, 1, 1)
	w.sourceUntouched(t)
	for _, file := range w.Logs() {
		if text, err := os.ReadFile(file); err != nil {
			t.Error(err)
		} else if strings.Contains(string(text), "x509:") {
			t.Errorf("%s tells of a certificate that is not trusted", file)
		}
	}
}

// A rotated password is used by all three, from the next time on.
func TestPullSecretRotated(t *testing.T) {
	w := newWorld(t, site{crds: []string{idmsCRD}, auth: [2]registry.Auth{registry.Basic, registry.Basic}})
	w.create(t, w.policy("ImageDigestMirrorSet", w.mirrors[0]))
	w.rollOut(t, w.overrides(w.mirrors[0]), w.overrides(w.mirrors[0]))
	before := w.nodePool(t, "before", w.releases[0])
	w.boots(t, before)

	const password = "An0ther-Pa55w0rd"
	w.auths[w.mirrors[0].Host()] = basic("puller-0", password)
	w.keep("puller-0", password, w.pullSecrets()...)
	w.mirrors[0].SetPassword(t, password)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: sitePullSecret}}
	edit(t, w, secret, func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = w.pullSecret() })
	after := w.nodePool(t, "after", w.releases[1])
	w.boots(t, after)
	w.pulledPayload(t, 0, w.releases[1])

	// The release of the cluster is read anew, too.
	hc := &hyperv1.HostedCluster{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.name}}
	edit(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = w.releases[1].Pullspec })
	w.pulled(t, 0, agentHO, machineconfig.MirroredRelease, w.releases[1].Release)
	w.pulled(t, 0, agentCPO, machineconfig.MirroredRelease, w.releases[1].Release)
	w.sourceUntouched(t)
}
