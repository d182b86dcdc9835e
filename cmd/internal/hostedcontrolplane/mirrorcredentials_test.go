package hostedcontrolplane_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// The copies of credentials for mirrors that the hypershift-operator puts beside the pull secret
// are used for the mirror, and for the source never, although they name it. The next lookup
// uses what a Secret has then.
func mirrorCredentials(t *testing.T, p *location) {
	authorized := testregistry.Match{If: testregistry.Request.Authorized}
	accepts := func(password string) {
		p.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "robot", Password: password}}})
	}
	secret := func(name, password string) *corev1.Secret {
		auth := base64.StdEncoding.EncodeToString([]byte("robot:" + password))
		s := p.pullSecret(fmt.Sprintf(`{"auths":{%q:{"auth":%q},%q:{"auth":%[2]q}}}`, p.mirror.Host()+"/mirror/release", auth, p.source.Host()))
		s.Name, s.Type = name, corev1.SecretTypeDockerConfigJson
		return s
	}
	// annotated says that these copies are there.
	annotated := func(names ...string) {
		t.Helper()
		p.change(t, func(hcp *hyperv1.HostedControlPlane) {
			hcp.Annotations = map[string]string{}
			for _, name := range names {
				hcp.Annotations[name] = "true"
			}
		})
	}
	// other is a release that nobody has looked up.
	other := func(version string) {
		t.Helper()
		r := p.release
		r.Version = version
		image := p.source.ByDigest("ocp/release", p.push(r)).String()
		p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ReleaseImage = image })
	}
	refused := func() {
		t.Helper()
		_, message := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
		for _, s := range []string{"first", "second", "third"} {
			if strings.Contains(message, s) {
				t.Errorf("the condition has a secret: %s", message)
			}
		}
	}
	accepts("first")
	p.source.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "robot", Password: "first"}}})
	p.create(t, secret(hypershift.MirrorCredentials, "first"))
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	refused() // nothing says that there is a copy
	annotated(hypershift.AnnotationMirrorCredentials)
	p.awaitValid(t)
	before := p.deployment(t)

	// Another password, noticed without anything else.
	accepts("second")
	p.mirror.ResetLog()
	if err := p.client.Update(t.Context(), secret(hypershift.MirrorCredentials, "second")); err != nil {
		t.Fatal(err)
	}
	if err := p.mirror.Wait(t.Context(), 1, testregistry.Match{Kind: testregistry.Manifest}); err != nil {
		t.Fatal(err)
	}
	other("4.17.4")
	p.awaitValid(t)
	for _, q := range p.mirror.Requests(authorized) {
		if q.Status >= 400 {
			t.Errorf("%s %s was sent the password before: %d", q.Method, q.Path, q.Status)
		}
	}

	// The source is asked, without a credential.
	p.mirror.Down()
	asked := p.source.Count()
	other("4.17.5")
	refused()
	if p.source.Count() == asked {
		t.Error("the source was not asked, so this shows nothing")
	}
	if err := p.mirror.Up(); err != nil {
		t.Fatal(err)
	}
	p.awaitValid(t)

	// The copy of the operator's own, in place of the HostedCluster's.
	accepts("third")
	p.create(t, secret(hypershift.ManagementMirrorCredentials, "third"))
	if err := p.client.Delete(t.Context(), secret(hypershift.MirrorCredentials, "")); err != nil {
		t.Fatal(err)
	}
	annotated(hypershift.AnnotationManagementMirrorCredentials)
	other("4.17.6")
	p.awaitValid(t)
	annotated() // withdrawn
	other("4.17.7")
	refused()
	if n := p.source.Count(authorized); n > 0 {
		t.Errorf("the source was sent a credential for mirrors, %d times", n)
	}
	after := p.deployment(t)
	if diff := cmp.Diff(before.Spec.Template.Spec, after.Spec.Template.Spec); diff != "" {
		t.Errorf("the pod of the ignition server changed (-before +after):\n%s", diff)
	}
}
