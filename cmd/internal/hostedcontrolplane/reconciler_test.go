package hostedcontrolplane_test

//lint:file-ignore SA1019 the deprecated status fields are written for HyperShift's clients, and so are tested

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

func TestOperator(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *location)
	}{
		{"Created", created},
		{"OCPBUGS60185MirrorsDoNotChangeDeployments", mirrorsDoNotChangeDeployments},
		{"UnreadableReleaseHandsOn", unreadableReleaseHandsOn},
		{"SignedRelease", signedRelease},
		{"History", history},
		{"MissingImages", missingImages},
		{"NeverContactSource", neverContactSource},
		{"NeverContactSourceByTag", neverContactSourceByTag},
		{"Paused", paused},
		{"PauseEnds", pauseEnds},
		{"TooLarge", tooLarge},
		{"NothingToWrite", nothingToWrite},
		{"CertificatesOfOthers", certificatesOfOthers},
		{"StatusConflict", statusConflict},
		{"PullSecretRotated", pullSecretRotated},
		{"MirrorCredentials", mirrorCredentials},
		{"DryRun", dryRun},
		{"HandedOverFile", handedOverFile},
		{"NothingOutlivesIt", nothingOutlivesIt},
		{"OCPBUGS83564OnlyRegistryOverrides", onlyRegistryOverrides},
		{"PullSecret", pullSecret},
		{"ConfigMap", configMap},
		{"Restored", restored},
		{"Disabled", disabled},
		{"CertificateRenewed", certificateRenewed},
		{"OtherRelease", otherRelease},
		{"OddOverrides", oddOverrides},
		{"OtherWriters", otherWriters},
		{"APIServerAway", apiServerAway},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s.location(t)) })
	}
}

// A HostedControlPlane becomes an ignition server and a status, through the mirror
// while the source is down, and a new generation that changes nothing writes nothing.
func created(t *testing.T, p *location) {
	p.source.Down()
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{RegistryOverrides: "registry.example.com=content.example.com"})
	hcp := p.awaitValid(t)

	for got, want := range map[string]string{
		hcp.Status.Version: "4.17.3", hcp.Status.ReleaseImage: p.image(),
		hcp.Status.VersionStatus.Desired.Version: "4.17.3", hcp.Status.VersionStatus.Desired.Image: p.image(),
	} {
		if got != want {
			t.Errorf("the status says %q, want %q", got, want)
		}
	}
	_, versions := p.await(t, hcpkg.ComponentVersions, metav1.ConditionTrue, hyperv1.AsExpectedReason)
	if want := "kubernetes " + p.release.ComponentVersions()["kubernetes"]; !strings.Contains(versions, want) {
		t.Errorf("component versions %q, want %q among them", versions, want)
	}
	p.await(t, string(hypershift.OverridesHandedOver), metav1.ConditionTrue, hyperv1.AsExpectedReason)

	rules := mustRules(t, append(overrides(t, "registry.example.com=content.example.com"), mirror(policy.PullAny, p.source.Host()+"/ocp/release", p.mirror.Host()+"/mirror/release"))...)
	handed, err := hcpkg.HandOver(rules)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hcpkg.IgnitionConfig{
		HCP: hcp, Overrides: handed, Image: "content.example.com/hypershift/cpo:1",
	}.Deployment()
	if err != nil {
		t.Fatal(err)
	}
	d := p.deployment(t)
	for i := range want.Spec.Template.Spec.Containers {
		w, g := want.Spec.Template.Spec.Containers[i], d.Spec.Template.Spec.Containers[i]
		for name, diff := range map[string]string{
			"image": cmp.Diff(w.Image, g.Image), "command": cmp.Diff(w.Command, g.Command), "args": cmp.Diff(w.Args, g.Args),
			"env": cmp.Diff(w.Env, g.Env), "mounts": cmp.Diff(w.VolumeMounts, g.VolumeMounts),
		} {
			if diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	if w, g := want.Spec.Template.Spec.InitContainers[0].Image, d.Spec.Template.Spec.InitContainers[0].Image; w != g {
		t.Errorf("the init container's image is %s, want %s", g, w)
	}
	var secret, authority corev1.Secret
	for name, into := range map[string]*corev1.Secret{hypershift.IgnitionServer: &secret, hypershift.IgnitionAuthority: &authority} {
		if err := p.get(t.Context(), name, into); err != nil {
			t.Fatal(err)
		}
	}
	if len(secret.Data["tls.crt"]) == 0 || len(secret.Data["tls.key"]) == 0 || len(authority.Data["tls.crt"]) == 0 {
		t.Error("a certificate or key is empty")
	}

	before := p.versions(t)
	p.touch(t, "stable-4.17")
	p.awaitValid(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("a new generation wrote (-before +after):\n%s", diff)
	}
	if d.Generation != 1 {
		t.Errorf("the Deployment's generation is %d, want 1", d.Generation)
	}
}

// versions returns the resource versions of everything the operator owns.
func (p *location) versions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{}, &corev1.SecretList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{},
	} {
		if err := p.client.List(t.Context(), list, client.InNamespace(p.namespace)); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		var plain struct {
			Items []metav1.PartialObjectMetadata
		}
		if err := json.Unmarshal(data, &plain); err != nil {
			t.Fatal(err)
		}
		for _, item := range plain.Items {
			all[fmt.Sprintf("%T %s", list, item.Name)] = item.ResourceVersion
		}
	}
	return all
}

// OCPBUGS-60185, 65682, 77365 to 77377, 77844: a mirror that goes away and comes back
// changes no Deployment.
func mirrorsDoNotChangeDeployments(t *testing.T, p *location) {
	vars := map[string]string{handover.ImageOverridesVariable: p.mirrored()}
	p.create(t, p.hcp())
	stop := p.run(t, vars, hcpkg.Options{})
	p.awaitValid(t)
	before := p.versions(t)

	stop() // and with it what it remembers
	p.mirror.Down()
	p.touch(t, "a")
	stop = p.run(t, vars, hcpkg.Options{})
	p.awaitValid(t) // by the source
	stop()
	p.source.Down()
	p.touch(t, "b")
	p.run(t, vars, hcpkg.Options{})
	_, message := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
	for _, want := range []string{p.mirror.Host(), p.source.Host()} {
		if !strings.Contains(message, want) {
			t.Errorf("the message does not name %s: %s", want, message)
		}
	}
	if err := p.mirror.Up(); err != nil {
		t.Fatal(err)
	}
	p.awaitValid(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// without returns the release without some components.
func (p *location) without(t *testing.T, version string, names ...string) string {
	t.Helper()
	r := p.release
	r.Version = version
	var refs map[string]any
	if err := json.Unmarshal(r.ImageReferences(), &refs); err != nil {
		t.Fatal(err)
	}
	spec := refs["spec"].(map[string]any)
	spec["tags"] = slices.DeleteFunc(spec["tags"].([]any), func(tag any) bool {
		return slices.Contains(names, tag.(map[string]any)["name"].(string))
	})
	data, err := json.Marshal(refs)
	if err != nil {
		t.Fatal(err)
	}
	r.Files = map[string][]byte{"release-manifests/image-references": data}
	return p.source.ByDigest("ocp/release", p.push(r)).String()
}

func missingImages(t *testing.T, p *location) {
	hcp := p.hcp()
	hcp.Spec.ReleaseImage = p.without(t, "4.17.4", "cluster-config-api", "machine-config-operator")
	p.create(t, hcp)
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	_, message := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionFalse, hyperv1.MissingReleaseImagesReason)
	if want := "cluster-config-api, machine-config-operator"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	// What is written does not depend on what was read: the server is there, and tells
	// of each payload what that lacks.
	p.deployment(t)

	// A control plane of another release is all right; the nodes still lack theirs.
	image := p.image()
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ControlPlaneReleaseImage = &image })
	p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionFalse, hyperv1.MissingReleaseImagesReason)
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ReleaseImage = image })
	if hcp = p.awaitValid(t); hcp.Status.Version != "4.17.3" {
		t.Errorf("version %s", hcp.Status.Version)
	}
}

// Not one packet goes to a source that policy forbids, though it is up and the
// mirror has not got the image.
func neverContactSource(t *testing.T, p *location) {
	handed, err := hcpkg.HandOver(mustRules(t, never(mirror(policy.PullDigest, p.source.Host(), p.mirror.Host()+"/empty"))))
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{handover.ImageOverridesVariable: p.mirrored()} // which says less and must not be read
	vars[handover.Variable], _ = envOf(handed, handover.Variable)
	p.create(t, p.hcp())
	stop := p.run(t, vars, hcpkg.Options{})
	p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
	stop() // and with it what it remembers
	p.mirror.Push("empty/ocp/release", "", mustImage(p))
	p.touch(t, "a")
	p.run(t, vars, hcpkg.Options{})
	p.awaitValid(t)
	if got, _ := envOf(hcpkg.Overrides{Env: envVars(p.deployment(t))}, handover.Variable); got != vars[handover.Variable] {
		t.Errorf("handed on as %s, want %s", got, vars[handover.Variable])
	}
	if stats := p.source.Main().Stats(); stats.Connections != 0 || p.source.Count() != 0 {
		t.Errorf("the source was contacted: %+v", stats)
	}
}

func envVars(d *appsv1.Deployment) (vars []handover.EnvVar) {
	for _, v := range d.Spec.Template.Spec.Containers[0].Env {
		vars = append(vars, handover.EnvVar{Name: v.Name, Value: v.Value})
	}
	return vars
}

// OCPBUGS-83564: only --registry-overrides, and the origin is unreachable.
func onlyRegistryOverrides(t *testing.T, p *location) {
	p.source.Down()
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: "="}, hcpkg.Options{RegistryOverrides: p.mirrored()})
	p.awaitValid(t)
	d := p.deployment(t)
	if got, _ := envOf(hcpkg.Overrides{Env: envVars(d)}, handover.ImageOverridesVariable); got != p.mirrored() {
		t.Errorf("%s=%s, want %s", handover.ImageOverridesVariable, got, p.mirrored())
	}
	if !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, p.mirrored()) {
		t.Errorf("args %q have no registry overrides", d.Spec.Template.Spec.Containers[0].Args)
	}
}

// The pull secret is missing, malformed, of no use, right, and rotated.
func pullSecret(t *testing.T, p *location) {
	const hidden = "correct-horse"
	p.source.Down()
	p.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "u", Password: hidden}}})
	if err := p.client.Delete(t.Context(), p.pullSecret("")); err != nil {
		t.Fatal(err)
	}
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	check := func(message string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(message, want) {
				t.Errorf("%q is not in %q", want, message)
			}
		}
		if strings.Contains(message, hidden) {
			t.Errorf("the message holds the password: %s", message)
		}
	}
	put := func(json string) {
		t.Helper()
		if err := p.client.Update(t.Context(), p.pullSecret(json)); err != nil {
			t.Fatal(err)
		}
	}
	name := p.namespace + "/pull-secret"
	_, message := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hyperv1.SecretNotFoundReason)
	check(message, name, "does not exist")

	p.create(t, p.pullSecret(`{"auths": {"`+hidden))
	cluster.Await(t, "the pull secret to be malformed", func(ctx context.Context) error {
		_, message = p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hyperv1.SecretNotFoundReason)
		if strings.Contains(message, "does not exist") {
			return fmt.Errorf("still %q", message)
		}
		return nil
	})
	check(message, name)

	put(p.auths(t, "u", "wrong"))
	_, message = p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
	check(message, p.mirror.Host(), "401")

	good := p.auths(t, "u", hidden)
	put(strings.Replace(good, `{"auths":{`, `{"auths":{"*.example.com":{"auth":"aGlkZGVuOmh1bnRlcjI="},`, 1))
	_, message = p.await(t, string(hypershift.ValidPullSecret), metav1.ConditionFalse, hypershift.EntriesSkippedReason)
	check(message, `auths["*.example.com"]`)
	p.awaitValid(t)
	put(good)
	cluster.Await(t, "the condition to go", func(ctx context.Context) error {
		hcp := p.awaitValid(t)
		if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(hypershift.ValidPullSecret)); c != nil {
			return fmt.Errorf("it is still there: %+v", c)
		}
		return nil
	})
}

// With the rules in a file no Deployment changes with them, and releases are looked
// up by the new ones.
func configMap(t *testing.T, p *location) {
	document := func(rules ...policy.Rule) []byte {
		data, err := handover.Encode(mustRules(t, rules...))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	path := filepath.Join(t.TempDir(), handover.Key)
	write := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	source := p.source.Host() + "/ocp/release"
	write(document(never(mirror(policy.PullDigest, source, p.mirror.Host()+"/nothing/here"))))
	p.create(t, p.hcp())
	p.run(t, nil, hcpkg.Options{OverridesFile: path, RegistryOverrides: "a.io=b.io"})
	p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)

	write(document(never(mirror(policy.PullDigest, source, p.mirror.Host()+"/mirror/release"))))
	p.awaitValid(t)
	d := p.deployment(t)
	if args := d.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, handover.File) || !slices.Contains(args, "a.io=b.io") {
		t.Errorf("args %q", args)
	}
	before := p.versions(t)

	write(document(never(mirror(policy.PullDigest, source, p.mirror.Host()+"/another/mirror"))))
	p.mirror.Push("another/mirror", "", mustImage(p))
	if err := p.mirror.Wait(t.Context(), 1, testregistry.Match{Repository: "another/mirror"}); err != nil {
		t.Fatal(err)
	}
	p.touch(t, "a")
	p.awaitValid(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if n := p.source.Main().Stats().Connections; n != 0 {
		t.Errorf("%d connections to the source", n)
	}
}

// What others change or delete comes back.
func restored(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	d := p.deployment(t)
	before := d.DeepCopy()
	d.Spec.Template.Spec.Containers[0].Args = []string{"--nonsense"}
	if err := p.client.Patch(t.Context(), d, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: hypershift.IgnitionServer, Namespace: p.namespace}}); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: hypershift.IgnitionServer, Namespace: p.namespace}}); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, "what was there to come back", func(ctx context.Context) error {
		if got := p.deployment(t).Spec.Template.Spec.Containers[0].Args; !slices.Equal(got, before.Spec.Template.Spec.Containers[0].Args) {
			return fmt.Errorf("args %q", got)
		}
		if err := p.get(ctx, hypershift.IgnitionServer, &corev1.Secret{}); err != nil {
			return err
		}
		return p.get(ctx, hypershift.IgnitionServer, &corev1.Service{})
	})
}

func disabled(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	p.deployment(t)
	p.change(t, func(hcp *hyperv1.HostedControlPlane) {
		hcp.Annotations = map[string]string{hyperv1.DisableIgnitionServerAnnotation: ""}
	})
	cluster.Await(t, "the ignition server to go", func(ctx context.Context) error {
		for _, obj := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &rbacv1.Role{}} {
			if err := p.get(ctx, hypershift.IgnitionServer, obj); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%T: %w", obj, err)
			}
		}
		return nil
	})
}

// The serving certificate is renewed without a change of the Deployment, whose
// server reads it again.
func certificateRenewed(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored(), "CERT_ROTATION_SCALE": "10ms"}, hcpkg.Options{})
	p.awaitValid(t)
	d := p.deployment(t)
	var first, now corev1.Secret
	if err := p.get(t.Context(), hypershift.IgnitionServer, &first); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, "another certificate", func(ctx context.Context) error {
		if err := p.get(ctx, hypershift.IgnitionServer, &now); err != nil {
			return err
		}
		if bytes.Equal(first.Data["tls.crt"], now.Data["tls.crt"]) {
			return fmt.Errorf("still the first one")
		}
		return nil
	})
	if got := p.deployment(t).ResourceVersion; got != d.ResourceVersion {
		t.Error("the Deployment changed with the certificate")
	}
}

// A HostedControlPlane of another release is left to the operator of that.
func otherRelease(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored(), "OPERATE_ON_RELEASE_IMAGE": "quay.io/another/release:1"}, hcpkg.Options{})
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored(), "OPERATE_ON_RELEASE_IMAGE": p.image(), "CONTROL_PLANE_OPERATOR_IMAGE": "registry.example.com/ours:1"}, hcpkg.Options{})
	p.awaitValid(t)
	p.touch(t, "a")
	p.awaitValid(t)
	if d := p.deployment(t); d.Spec.Template.Spec.Containers[0].Image != "registry.example.com/ours:1" || d.Generation != 1 {
		t.Errorf("generation %d, image %s", d.Generation, d.Spec.Template.Spec.Containers[0].Image)
	}
}
