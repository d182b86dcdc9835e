package hostedcluster

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// A mirror with a private CA is believed for the HostedClusters that brought the CA, and
// for no other, though they ask for the same release with the same pull secret. What was
// copied for a reference goes with it.
func TestOCPBUGS16221PrivateCA(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.operate(t, func(o *Options) { o.Registry.RootCAs = x509.NewCertPool() })
	const bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	with, without := w.hostedCluster("with"), w.hostedCluster("without")
	with.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "my-ca"}
	with.Spec.SSHKey.Name = "my-key"
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "my-ca"},
		Data: map[string]string{hypershift.CABundleKey: bad}}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), with, bundle,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "my-key"}, Data: map[string][]byte{hypershift.SSHKeyKey: []byte("ssh-ed25519 AAAA")}})
	w.says(t, with, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "CA bundle clusters/my-ca, ca-bundle.crt (spec.additionalTrustBundle): it holds no certificate that can be used; not trusted: block 1")
	change(t, w, bundle, func(c *corev1.ConfigMap) { c.Data[hypershift.CABundleKey] = "# ours\n" + string(w.mirror.CA().PEM()) })
	w.says(t, with, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	// A bad certificate among good ones is named, and the good ones count.
	good := bundle.Data[hypershift.CABundleKey]
	change(t, w, bundle, func(c *corev1.ConfigMap) { c.Data[hypershift.CABundleKey] = bad + good })
	w.says(t, with, hypershift.ValidTrustBundle, metav1.ConditionFalse, hypershift.CertificatesSkippedReason, "not trusted: block 1: x509: malformed certificate")
	w.says(t, with, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	change(t, w, bundle, func(c *corev1.ConfigMap) { c.Data[hypershift.CABundleKey] = good })
	w.saysNothing(t, with, hypershift.ValidTrustBundle)
	w.create(t, without)
	w.says(t, without, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "unknown authority")

	ns := hypershift.ControlPlaneNamespace(with)
	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.UserCABundle}}
	key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: hypershift.SSHKey}}
	w.get(t, ca)
	if w.get(t, key); ca.Data[hypershift.CABundleKey] != bundle.Data[hypershift.CABundleKey] || string(key.Data[hypershift.SSHKeyKey]) != "ssh-ed25519 AAAA" {
		t.Errorf("copies are %q and %q", ca.Data, key.Data)
	}
	// A user's own object of such a name is left alone.
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mirrorchain-overrides"}}
	w.create(t, theirs)
	change(t, w, with, func(hc *hyperv1.HostedCluster) { hc.Spec.AdditionalTrustBundle, hc.Spec.SSHKey.Name = nil, "" })
	w.says(t, with, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "unknown authority")
	change(t, w, with, func(hc *hyperv1.HostedCluster) {
		hc.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "my-ca"}
	})
	w.gone(t, key)
	w.get(t, theirs)
}

// One entry of a pull secret that cannot be used is named, and the others count.
func TestOddEntryOfPullSecret(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.operate(t, nil)
	good := w.auth(password)
	odd := strings.Replace(good, `{"auths":{`, `{"auths":{"*.example.com":{"auth":"aGlkZGVuOmh1bnRlcjI="},`, 1)
	hc, secret := w.hostedCluster("one"), w.pullSecret(odd)
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), secret, hc)
	w.says(t, hc, hypershift.ValidPullSecret, metav1.ConditionFalse, hypershift.EntriesSkippedReason, `auths["*.example.com"]`)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	w.cpo(t, hc, anything)
	for _, c := range hc.Status.Conditions {
		if strings.Contains(c.Message, "hunter2") || strings.Contains(c.Message, "aGlkZGVu") {
			t.Errorf("%s holds a password: %s", c.Type, c.Message)
		}
	}
	change(t, w, secret, func(s *corev1.Secret) { s.Data[hypershift.PullSecretKey] = []byte(good) })
	w.saysNothing(t, hc, hypershift.ValidPullSecret)
}

func TestPayloadArch(t *testing.T) {
	w := newWorld(t)
	w.operate(t, nil)
	hc := w.hostedCluster("one")
	hc.Spec.Release.Image = strings.Replace(w.image, source, w.mirror.Host()+"/mirror/release", 1)
	var config string // of the release's image
	img := testpayload.Must(testpayload.Release{Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
	config = img.Blobs[0].Digest
	w.mirror.Fail(testregistry.Match{Reference: config}, testregistry.Status(404))
	w.create(t, w.pullSecret(w.auth(password)), hc)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.PayloadArchNotFoundReason, "404")
	w.mirror.ClearFaults()
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	if hc.Status.PayloadArch != hyperv1.AMD64 {
		t.Errorf("payloadArch is %q", hc.Status.PayloadArch)
	}
	asked := w.mirror.Count(testregistry.Match{Reference: config})

	arm := testpayload.Must(testpayload.Release{
		Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages, Platform: provider.Platform{OS: "linux", Architecture: "arm64"},
	}.Image())
	// An index with one architecture is that: HyperShift refuses NodePools of another one.
	// Here each has the manifest of another one.
	for _, c := range []struct {
		name  string
		index testpayload.Image
		want  hyperv1.PayloadArchType
	}{
		{"multi", testpayload.Index(true, arm, img), hyperv1.Multi},
		{"single", testpayload.Index(false, img), hyperv1.AMD64},
		{"again", testpayload.Index(true, arm, img), hyperv1.Multi},
	} {
		hc := w.hostedCluster(c.name)
		hc.Spec.Release.Image = w.mirror.Host() + "/mirror/release@" + w.mirror.Push("mirror/release", c.name, c.index)
		w.create(t, hc)
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
		if got := hc.Status.PayloadArch; got != c.want {
			t.Errorf("%s: payloadArch is %q, want %q", c.name, got, c.want)
		}
	}
	if now := w.mirror.Count(testregistry.Match{Reference: config}); now != asked {
		t.Errorf("the config was asked for %d times more", now-asked)
	}
}

func TestArchitectureOfIndex(t *testing.T) {
	entries := func(archs ...string) (out []provider.Platform) {
		out = []provider.Platform{}
		for _, arch := range archs {
			out = append(out, provider.Platform{OS: "linux", Architecture: arch})
		}
		return out
	}
	for name, c := range map[string]struct {
		entries []provider.Platform
		want    hyperv1.PayloadArchType
	}{
		"none":              {entries(), ""},
		"one":               {entries("arm64"), hyperv1.ARM64},
		"two":               {entries("amd64", "s390x"), hyperv1.Multi},
		"all":               {entries("amd64", "arm64", "ppc64le", "s390x"), hyperv1.Multi},
		"variants of one":   {entries("arm64", "arm64"), hyperv1.ARM64},
		"beside an unknown": {entries("unknown", "ppc64le", "riscv64"), hyperv1.PPC64LE},
		"unknown alone":     {entries("riscv64"), ""},
	} {
		if got := ofIndex(c.entries); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Switching the hand-over back leaves no ConfigMap behind.
func TestHandoverBackToEnv(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)))
	stop := w.operate(t, func(o *Options) { o.Handover = HandoverConfigMap })
	hc := w.hostedCluster("one")
	w.create(t, hc)
	w.cpo(t, hc, overridesAre("="))
	stop()
	w.operate(t, nil)
	w.cpo(t, hc, overridesAre(source+"="+w.mirror.Host()+"/mirror/release"))
	w.gone(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters-one", Name: "mirrorchain-overrides"}})
}

// Chains for bundles are kept as long as they are used, and few of those that are not.
func TestLookupsAreBounded(t *testing.T) {
	l, err := NewLookups(registry.Config{}, func() *policy.Rules { return nil }, assembly.Deps{Observers: []chain.Observer{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ca, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	use := func(n int) (*lookups, func()) {
		x, done, err := l.For(fmt.Sprintf("# %d\n%s", n, ca.CA().PEM()))
		if err != nil {
			t.Fatal(err)
		}
		return x, done
	}
	first, letGo := use(0)
	for n := range 2 * maxBundles {
		_, done := use(n)
		done()
	}
	if n := len(l.own); n != maxBundles {
		t.Errorf("%d chains are kept, want %d", n, maxBundles)
	}
	if second, done := use(0); second != first {
		t.Error("a chain in use was given up")
	} else {
		done()
	}
	letGo()
	for _, bad := range []string{"nothing", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, done, err := l.For(bad); err == nil {
			t.Errorf("%q is a bundle", bad)
		} else {
			done()
		}
	}
}

// A host that fails those who do not trust it is as healthy as whoever trusts it finds.
func TestHostsOfLookups(t *testing.T) {
	l, err := NewLookups(registry.Config{}, func() *policy.Rules { return nil }, assembly.Deps{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	own, done, err := l.For(string(ca.PEM()))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	failed := health.Report{Host: "m.test", Outcome: health.Failure}
	state := func(want health.State) {
		t.Helper()
		if got := l.Hosts(); len(got) != 1 || got[0].State != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	l.shared.hosts.Report(failed)
	state(health.Suspect)
	own.hosts.Report(health.Report{Host: "m.test", Outcome: health.Success})
	state(health.Healthy)
	own.hosts.Report(failed)
	state(health.Suspect)
	if l.shared.hosts == own.hosts {
		t.Error("one bundle's failures are another's")
	}
}
