package hostedcluster

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/mirrorchoice"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

const robotSecret = "r0b0t-secret"

// dockerConfig returns a .dockerconfigjson with one user for these keys.
func dockerConfig(user, password string, keys ...string) string {
	var auths []string
	for _, key := range keys {
		auths = append(auths, fmt.Sprintf(`%q:{"auth":%q}`, key, base64.StdEncoding.EncodeToString([]byte(user+":"+password))))
	}
	return `{"auths":{` + strings.Join(auths, ",") + `}}`
}

func credentialsSecret(namespace, name, config string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{hypershift.PullSecretKey: []byte(config)},
	}
}

// copy returns the copy of a Secret in the control plane namespace, "" if there is none.
func (w *world) copy(t *testing.T, hc *hyperv1.HostedCluster, name string) string {
	t.Helper()
	s := new(corev1.Secret)
	err := w.Get(t.Context(), client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name}, s)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return string(s.Data[hypershift.PullSecretKey])
}

func (w *world) awaitCopy(t *testing.T, hc *hyperv1.HostedCluster, name, want string) {
	t.Helper()
	cluster.Await(t, "the Secret "+name, func(ctx context.Context) error {
		s := new(corev1.Secret)
		err := w.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name}, s)
		if apierrors.IsNotFound(err) {
			err = nil
		}
		if got := string(s.Data[hypershift.PullSecretKey]); err == nil && got != want {
			err = errors.New("it is another one") // not what it has
		}
		return err
	})
}

// logged collects what is logged, to be searched for secrets.
func logged(o *Options) *observer.ObservedLogs {
	core, logs := observer.New(zapcore.DebugLevel)
	o.Log = zap.New(core)
	return logs
}

func saysSecret(logs *observer.ObservedLogs) string {
	for _, e := range logs.All() {
		text := e.Message + fmt.Sprint(e.ContextMap())
		for _, secret := range []string{robotSecret, "hc-secret", base64.StdEncoding.EncodeToString([]byte("robot:" + robotSecret))} {
			if strings.Contains(text, secret) {
				return text
			}
		}
	}
	return ""
}

// counted returns how many endpoints were asked with somebody's credential.
func counted(t *testing.T, reg *prometheus.Registry, owner string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "mirrorchain_attempt_credentials_total" && m.GetLabel()[0].GetValue() == owner {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// A pull secret that has nothing for the mirror is enough, with credentials of the operator or
// of the HostedCluster. Those of the operator stay with it unless a flag says otherwise, what is
// copied is what the rules need, and nothing is logged.
func TestMirrorCredentials(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	users := []testregistry.User{{Name: "robot", Password: robotSecret}, {Name: "hc", Password: "hc-secret"}}
	w.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: users})
	host := w.mirror.Host()
	one, two := w.hostedCluster("one"), w.hostedCluster("two")
	two.Spec.PullSecret.Name = "other"
	other := w.pullSecret(dockerConfig("me", "mine-alone", "quay.io", "registry.example.com"))
	other.Name = "other"
	robots := credentialsSecret(operatorNamespace, "robots", dockerConfig("robot", robotSecret, host, "unrelated.example.com"))
	w.create(t, w.idms("releases", host+"/mirror/release"), w.pullSecret(dockerConfig("me", "mine-alone", "quay.io")), other, one)

	stop := w.operate(t, nil)
	w.says(t, one, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "401")
	stop()

	w.create(t, robots)
	var logs *observer.ObservedLogs
	reg := prometheus.NewRegistry()
	stop = w.operate(t, func(o *Options) {
		o.MirrorCredentials, o.Metrics, logs = client.ObjectKeyFromObject(robots), reg, logged(o)
	})
	w.says(t, one, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "", "")
	w.says(t, one, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	asked := w.mirror.Count(testregistry.Match{Kind: testregistry.Manifest})
	w.create(t, two)
	w.says(t, two, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	if n := w.mirror.Count(testregistry.Match{Kind: testregistry.Manifest}); n == asked {
		t.Error("another tenant was given what the first one read with the operator's credential")
	}
	for _, name := range []string{hypershift.MirrorCredentials, hypershift.ManagementMirrorCredentials} {
		if w.copy(t, one, name) != "" {
			t.Errorf("the operator's credentials are copied to %s", name)
		}
	}
	if n := counted(t, reg, "operator"); n == 0 {
		t.Error("no endpoint was asked with the operator's credential")
	}
	if n := logs.FilterMessageSnippet("credentials for mirrors are used").Len(); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
	stop()
	if text := saysSecret(logs); text != "" {
		t.Errorf("a secret is logged: %s", text)
	}

	// Handed over: what the rules need of them, for hosts that the pull secret has nothing for.
	stop = w.operate(t, func(o *Options) {
		o.MirrorCredentials, o.HandOverMirrorCredentials, logs = client.ObjectKeyFromObject(robots), true, logged(o)
	})
	narrow := dockerConfig("robot", robotSecret, host+"/mirror/release")
	w.awaitCopy(t, one, hypershift.ManagementMirrorCredentials, narrow)
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(one), Name: "one"}}
	cluster.Await(t, "the annotation", func(ctx context.Context) error {
		if err := w.Get(ctx, keyOf(hcp), hcp); err != nil || hcp.Annotations[hypershift.AnnotationManagementMirrorCredentials] != "true" {
			return errors.Join(err, fmt.Errorf("annotations %v", hcp.Annotations))
		}
		return nil
	})
	// Rotated.
	users[0].Password = robotSecret + "-2"
	w.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: users})
	change(t, w, robots, func(s *corev1.Secret) {
		s.Data[hypershift.PullSecretKey] = []byte(dockerConfig("robot", robotSecret+"-2", host))
	})
	w.awaitCopy(t, one, hypershift.ManagementMirrorCredentials, strings.Replace(narrow,
		base64.StdEncoding.EncodeToString([]byte("robot:"+robotSecret)), base64.StdEncoding.EncodeToString([]byte("robot:"+robotSecret+"-2")), 1))
	stop()

	// Those of the HostedCluster, which are its own to hand over.
	reg = prometheus.NewRegistry()
	w.operate(t, func(o *Options) { o.Metrics, logs = reg, logged(o) })
	w.awaitCopy(t, one, hypershift.ManagementMirrorCredentials, "")
	name := func(secret string) {
		change(t, w, one, func(hc *hyperv1.HostedCluster) {
			hc.Annotations = map[string]string{hypershift.AnnotationMirrorCredentials: secret}
		})
	}
	name("none")
	w.says(t, one, hypershift.ValidMirrorCredentials, metav1.ConditionFalse, hypershift.EntriesSkippedReason, "Secret clusters/none: it does not exist; create it")
	opaque := credentialsSecret("clusters", "opaque", dockerConfig("hc", "hc-secret", host))
	opaque.Type = corev1.SecretTypeOpaque
	w.create(t, opaque, credentialsSecret("clusters", "mine", dockerConfig("hc", "hc-secret", host+"/mirror", "unrelated.example.com")))
	name("opaque")
	w.says(t, one, hypershift.ValidMirrorCredentials, metav1.ConditionFalse, "", "its type is Opaque; make it one of type kubernetes.io/dockerconfigjson")
	name("mine")
	w.saysNothing(t, one, hypershift.ValidMirrorCredentials)
	w.says(t, one, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	w.awaitCopy(t, one, hypershift.MirrorCredentials, dockerConfig("hc", "hc-secret", host+"/mirror/release"))
	if n := counted(t, reg, "mirror"); n == 0 {
		t.Error("no endpoint was asked with the credential of the HostedCluster")
	}
	if got := w.copy(t, one, hypershift.PullSecret); strings.Contains(got, host) {
		t.Error("the pull secret of the control plane has the credentials for mirrors")
	}
	change(t, w, one, func(hc *hyperv1.HostedCluster) { hc.Annotations = nil })
	w.awaitCopy(t, one, hypershift.MirrorCredentials, "")
	if text := saysSecret(logs); text != "" {
		t.Errorf("a secret is logged: %s", text)
	}
}

// A hostile tenant tries to have the operator's credential sent to a server of its own: by
// the release's registry, by mirrors of its own beside and in place of the management cluster's, by
// redirects and token realms, by another port of the mirror's host, and by an authority that
// vouches for a false mirror. Not a byte of it leaves (R10).
func TestHostileTenantGetsNoCredential(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "robot", Password: robotSecret}}})
	evil, err := testregistry.Start(testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(evil.Close)
	host, _, _ := strings.Cut(w.mirror.Host(), ":")
	_, evilPort, _ := net.SplitHostPort(evil.Host())
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	entries := policy.Object["spec"].(map[string]any)
	entries["imageDigestMirrors"] = append(entries["imageDigestMirrors"].([]any), map[string]any{"source": "bare.example.com", "mirrors": []any{host}})
	robots := credentialsSecret(operatorNamespace, "robots", dockerConfig("robot", robotSecret, w.mirror.Host(), host))
	w.create(t, policy, robots, w.pullSecret(dockerConfig("me", "mine-alone", "quay.io")),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "evil-ca"}, Data: map[string]string{hypershift.CABundleKey: string(evil.CA().PEM())}})
	_, digest, _ := strings.Cut(w.image, "@")

	var mu sync.Mutex
	impersonated := 0
	var impersonate bool // the network leads to a false mirror
	pool := w.mirror.CA().Pool()
	var logs *observer.ObservedLogs
	operate := func(trustEvil bool) (stop func()) {
		return w.operate(t, func(o *Options) {
			o.MirrorCredentials, o.OptOut, logs = client.ObjectKeyFromObject(robots), OptOutAllowed, logged(o)
			if o.Registry.RootCAs = pool; trustEvil { // a public authority vouches for evil's own name
				o.Registry.RootCAs.AppendCertsFromPEM(evil.CA().PEM())
			}
			o.Registry.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				if impersonate && address == w.mirror.Main().Addr() {
					address = evil.Main().Addr()
					impersonated++
				}
				mu.Unlock()
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		})
	}
	hostile := func(name string, edit func(*hyperv1.HostedCluster)) *hyperv1.HostedCluster {
		hc := w.hostedCluster(name)
		edit(hc)
		w.create(t, hc)
		return hc
	}
	refused := func(hc *hyperv1.HostedCluster) {
		t.Helper()
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "")
	}
	none := func(why string) {
		t.Helper()
		for _, q := range evil.Requests() {
			if text := fmt.Sprint(q.Header, q.Query, q.Form, q.EscapedPath); strings.Contains(text, robotSecret) ||
				strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("robot:"+robotSecret))) {
				t.Errorf("%s: %s %s has a credential", why, q.Method, q.Path)
			}
		}
		if text := saysSecret(logs); text != "" {
			t.Errorf("%s: a secret is logged: %s", why, text)
		}
	}

	stop := operate(true)
	// The mirror itself works, so there is something to get.
	w.says(t, hostile("honest", func(*hyperv1.HostedCluster) {}), hyperv1.ValidReleaseImage, metav1.ConditionTrue, "", "")
	// Its registry asks for a token at the mirror, and redirects there.
	evil.SetAuth(testregistry.Auth{Scheme: testregistry.Bearer, Realm: w.mirror.URL() + "/token"})
	refused(hostile("realm", func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = evil.Host() + "/mirror/release@" + digest }))
	remove := evil.Fail(testregistry.Match{}, testregistry.Redirect(w.mirror.URL()+"/v2/mirror/release/manifests/"+digest))
	before := w.mirror.Count(testregistry.Match{If: testregistry.Request.Authorized})
	refused(hostile("redirect", func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = evil.Host() + "/x/redirect@" + digest }))
	// A mirror of its own, before the management cluster's and in place of it, with paths of both.
	remove()
	evil.SetAuth(testregistry.Auth{Scheme: testregistry.Basic})
	for _, mode := range []string{"ignore", "prefer-hosted"} {
		hc := hostile(mode, func(hc *hyperv1.HostedCluster) {
			hc.Annotations = map[string]string{mirrorchoice.Mirrors: mode}
			hc.Spec.ImageContentSources = []hyperv1.ImageContentSource{hostedSource(source, evil.Host()+"/mirror/release")}
		})
		if mode == "ignore" {
			refused(hc)
		} else {
			w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "", "")
		}
	}
	// The management cluster's mirror, named by the tenant for another source, and the mirror's
	// own name as the release's registry: asked, and without the credential.
	atMirror := w.mirror.Count(testregistry.Match{If: testregistry.Request.Authorized})
	refused(hostile("named", func(hc *hyperv1.HostedCluster) {
		hc.Annotations = map[string]string{mirrorchoice.Mirrors: "prefer-hosted"}
		hc.Spec.Release.Image = "evil.example.com/ocp/release@" + digest
		hc.Spec.ImageContentSources = []hyperv1.ImageContentSource{hostedSource("evil.example.com/ocp", w.mirror.Host()+"/mirror")}
	}))
	refused(hostile("direct", func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = w.mirror.Host() + "/mirror/release@" + digest }))
	if n := w.mirror.Count(testregistry.Match{If: testregistry.Request.Authorized}); n != atMirror {
		t.Errorf("%d requests with the credential for what the tenant named", n-atMirror)
	}
	// Another port of the mirror's host: the mirror of a host takes the port of the image.
	refused(hostile("port", func(hc *hyperv1.HostedCluster) {
		hc.Spec.Release.Image = "bare.example.com:" + evilPort + "/x/y@" + digest
	}))
	if evil.Count() == 0 || before == 0 {
		t.Error("the hostile registry was never asked")
	}
	none("servers of its own")
	stop()

	// An authority of its own vouches for a false mirror.
	pool = w.mirror.CA().Pool()
	mu.Lock()
	impersonate = true
	mu.Unlock()
	evil.ResetLog()
	operate(false)
	refused(hostile("authority", func(hc *hyperv1.HostedCluster) {
		hc.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "evil-ca"}
	}))
	mu.Lock()
	defer mu.Unlock()
	if impersonated == 0 {
		t.Error("the false mirror was never dialled")
	}
	none("a false mirror")
}
