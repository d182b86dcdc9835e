package controller_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

func TestServer(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]func(*location){
		"Serves": testServes, "Restart": testRestart, "R9PullSecret": testPullSecret, "ReplacedInPlace": testReplacedInPlace,
		"R12NeverContactSource": testNeverContactSource, "Signed": testSigned, "RulesChange": testRulesChange, "Several": testSeveral,
		"Environment": testEnvironment, "Ready": testReady, "SlowPayloads": testSlowPayloads, "MirrorCredentials": testMirrorCredentials, "ConditionOfBefore": testConditionOfBefore,
	} {
		t.Run(name, func(t *testing.T) { test(s.location(t)) })
	}
}

// The release and the components that programs come from have to be signed where the flags
// say so.
func testSigned(p *location) {
	t, key := p.t, signing.NewSigstore(p.t)
	releases, components := p.source.Host()+"/"+machineconfig.ReleaseRepository, p.source.Host()+"/"+machineconfig.ComponentRepository
	flags := operator.SignatureFlags{Mode: "next", Policies: []string{key.PolicyFile(t, releases, components)}}
	asked, err := flags.Read(nil, p.log())
	if err != nil {
		t.Fatal(err)
	}
	verifying := func(proc *controller.Process) { proc.Signatures = asked }
	secret := p.token("token-np-1")
	r := p.run(verifying)
	p.awaitReport("token-np-1", payload.ReasonInvalidConfig, "a signature is required, and there is none")
	r.stop() // and with it what it remembers
	p.mirror.Push(machineconfig.MirroredRelease, sigstore.Tag(p.images.Release.Digest), key.Image(t, p.images.Release.Digest, releases+":4.17.3"))
	r = p.run(verifying)
	p.awaitReport("token-np-1", payload.ReasonInvalidConfig, "reading the machine-config-operator image")
	r.stop()
	for _, digest := range p.images.Digests {
		p.mirror.Push(machineconfig.MirroredComponents, sigstore.Tag(digest), key.Image(t, digest, components+":any"))
	}
	r = p.run(verifying)
	r.await(string(secret.Data[tokens.KeyToken]))
	p.untouched()
}

// value returns that of the metric with the name, summed over labels.
func (r *running) value(name string) (v float64) {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			v += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return v
}

func (p *location) events() []corev1.Event {
	p.t.Helper()
	var list corev1.EventList
	if err := p.client.List(p.t.Context(), &list, client.InNamespace(p.namespace)); err != nil {
		p.t.Fatal(err)
	}
	return list.Items
}

func testServes(p *location) {
	t, r := p.t, p.run()
	secret := p.token("token-np-1")
	token := string(secret.Data[tokens.KeyToken])
	p.awaitReport("token-np-1", payload.ReasonAsExpected, "Payload generated successfully")

	// Who has no token causes nothing.
	for range 3 {
		if status, _, err := r.node("not-a-token"); err != nil || status != http.StatusNetworkAuthenticationRequired {
			t.Errorf("status %d, %v", status, err)
		}
	}
	if n := len(p.events()); n != 0 || r.counts.of("POST", "/events") != 0 {
		t.Errorf("%d events for those without a token", n)
	}
	if _, ok := p.secret("token-np-1").Annotations[tokens.AnnotationReached]; ok {
		t.Error("annotated though no node came")
	}

	files := r.await(token)
	if got := files["custom.yaml"]; got != "the config of token-np-1" {
		t.Errorf("the payload was made of %q", got)
	}
	if !strings.Contains(files["operator.args"], "--release-image="+p.images.Pullspec) {
		t.Errorf("args %s", files["operator.args"])
	}
	r.await(token)
	cluster.Await(t, "the annotation and an event of two requests", func(context.Context) error {
		s := new(corev1.Secret)
		if err := p.get("token-np-1", s); err != nil {
			return err
		}
		all := p.events()
		if s.Annotations[tokens.AnnotationReached] != "True" || len(all) != 1 || all[0].Count != 2 {
			return fmt.Errorf("annotations %v, events %+v", s.Annotations, all)
		}
		if e := all[0]; e.Type != "Normal" || e.Reason != "GetPayload" || e.InvolvedObject.Name != s.Name || e.InvolvedObject.UID != s.UID {
			return fmt.Errorf("event %+v", e)
		}
		return nil
	})
	for name, want := range map[string]float64{
		"ign_server_get_request": 2, "ign_server_payload_cache_total": 1, "ign_server_payload_cache_miss_total": 1,
		"ign_server_payload_generation_seconds": 1, "ign_server_token_rotation_total": 0,
	} {
		if got := r.value(name); got != want {
			t.Errorf("%s is %v; want %v", name, got, want)
		}
	}
	if n, err := testutil.GatherAndCount(r.metrics, "ign_server_get_request"); err != nil || n != 1 {
		t.Errorf("%d series of requests, %v", n, err)
	}
	var hcp hyperv1.HostedControlPlane
	if err := p.get("hcp", &hcp); err != nil {
		t.Fatal(err)
	}
	if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(hyperv1.IgnitionServerValidReleaseInfo)); c == nil || c.Status != "True" {
		t.Errorf("condition %+v", c)
	}
	r.stop()
	p.untouched()
	if remaining, err := os.ReadDir(r.workDir); err != nil || len(remaining) != 2 { // cache and tokens
		t.Errorf("left: %v, %v", remaining, err)
	}
}

// What was made is served after a restart, and not made again; what went meanwhile is
// not served.
func testRestart(p *location) {
	t, r := p.t, p.run()
	kept, gone := p.token("token-kept"), p.token("token-gone")
	p.awaitReport("token-kept", payload.ReasonAsExpected, "")
	p.awaitReport("token-gone", payload.ReasonAsExpected, "")
	r.stop()
	p.delete(gone)
	requests := p.mirror.Count()
	second := p.run(func(proc *controller.Process) { proc.Options.WorkDir = r.workDir })
	// At once: the first answer, not one that is waited for.
	if status, _, err := second.node(string(kept.Data[tokens.KeyToken])); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
	cluster.Await(t, "the token of the secret that is gone to be forgotten", func(context.Context) error {
		status, _, err := second.node(string(gone.Data[tokens.KeyToken]))
		if err == nil && status != http.StatusNetworkAuthenticationRequired {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	p.token("token-new")
	p.awaitReport("token-new", payload.ReasonAsExpected, "")
	if n := second.value("ign_server_payload_cache_miss_total"); n != 1 {
		t.Errorf("%v payloads were made; want that of the new secret alone", n)
	}
	for _, q := range p.mirror.Requests()[requests:] {
		if q.Kind == testregistry.Blob && q.Repository == machineconfig.MirroredComponents {
			t.Errorf("a component was read again: %+v", q)
		}
	}
}

// R9: a pull secret that is missing, malformed or out of date is named; the new one
// counts at once.
func testPullSecret(p *location) {
	secret := p.secret("pull-secret")
	p.delete(secret)
	r := p.run()
	unhashed := func(s *corev1.Secret) { delete(s.Data, tokens.KeyPullHash) }
	p.token("token-a", unhashed)
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "secret pull-secret: it does not exist")

	put := func(data string) {
		p.t.Helper()
		change(p, new(corev1.Secret), "pull-secret", func(s *corev1.Secret) { s.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(data)} })
	}
	p.create(&corev1.Secret{ObjectMeta: p.meta("pull-secret"), Data: map[string][]byte{"other": nil}})
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "secret pull-secret: it has no key .dockerconfigjson")
	put(`{"auths": {"` + password)
	s := p.awaitReport("token-a", payload.ReasonInvalidConfig, "secret pull-secret: ")
	cluster.Await(p.t, "the message on what is malformed", func(context.Context) error {
		s = p.secret("token-a")
		if m := string(s.Data[tokens.KeyMessage]); strings.Contains(m, "no key") || strings.Contains(m, password) {
			return errors.New(m)
		}
		return nil
	})
	put(string(machineconfig.PullSecret(user, "wrong-password", p.mirror.Host())))
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "unauthorized")
	put(string(machineconfig.PullSecret(user, password, p.mirror.Host())))
	r.await(string(s.Data[tokens.KeyToken]))

	// Rotated: what is served stays, what is made from now on needs the new one.
	p.mirror.SetAuth(basic("another-password"))
	p.token("token-b", unhashed, func(s *corev1.Secret) { s.Data[tokens.KeyRelease] = []byte(p.images.Pullspec) })
	put(string(machineconfig.PullSecret(user, "another-password", p.mirror.Host())))
	p.awaitReport("token-b", payload.ReasonAsExpected, "")
	// One that was made for the secret before waits for its own.
	p.token("token-c")
	p.awaitReport("token-c", payload.ReasonInvalidConfig, "secret pull-secret is not the one")
	r.await(string(s.Data[tokens.KeyToken]))
	p.untouched()
}

// A pull secret that has nothing for the mirror is enough with the copies of credentials for
// mirrors, whichever there is. Nodes get none of it: not the payload, not the pull secret in it.
func testMirrorCredentials(p *location) {
	own, operators := hypershift.MirrorCredentials, hypershift.ManagementMirrorCredentials
	unhashed := func(s *corev1.Secret) { delete(s.Data, tokens.KeyPullHash) }
	change(p, new(corev1.Secret), "pull-secret", func(s *corev1.Secret) {
		s.Data = map[string][]byte{corev1.DockerConfigJsonKey: machineconfig.PullSecret("me", "mine-alone", "elsewhere.example.com")}
	})
	r := p.run()
	for i, name := range []string{own, operators} {
		secret := p.token(fmt.Sprintf("token-%d", i), unhashed, func(s *corev1.Secret) {
			s.Data[tokens.KeyConfig] = zipped(p.t, fmt.Sprint("config ", i))
		})
		if i == 0 {
			p.awaitReport(secret.Name, payload.ReasonInvalidConfig, "unauthorized")
		}
		copied := &corev1.Secret{ObjectMeta: p.meta(name), Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{
			corev1.DockerConfigJsonKey: machineconfig.PullSecret(user, password, p.mirror.Host()),
		}}
		p.create(copied)
		p.awaitReport(secret.Name, payload.ReasonAsExpected, "")
		status, body, err := r.node(string(secret.Data[tokens.KeyToken]))
		if err != nil || status != http.StatusOK {
			p.t.Fatal(status, err)
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		for _, text := range []string{password, encoded, base64.StdEncoding.EncodeToString([]byte(encoded)), p.mirror.Host()} {
			if strings.Contains(string(body), text) {
				p.t.Errorf("%s: nodes get %q", name, text)
			}
		}
		p.delete(copied)
	}
	p.untouched()
}

// A new server makes the payload of a token Secret whose pull secret and CA bundle were replaced
// in place after it was made: what it was made for never comes back.
func testReplacedInPlace(p *location) {
	const old = "an authority of before"
	bundle := &corev1.ConfigMap{ObjectMeta: p.meta("user-ca-bundle"), Data: map[string]string{"ca-bundle.crt": old}}
	p.create(bundle)
	token := p.token("token-a", func(s *corev1.Secret) { s.Data[tokens.KeyTrustHash] = []byte(payload.Hash(old)) })
	other := p.token("token-b", func(s *corev1.Secret) { s.Data[tokens.KeyPullHash] = []byte("00000000") })
	cluster.Await(p.t, "a later second", func(context.Context) error { // in which the API counts
		if !time.Now().Truncate(time.Second).After(other.CreationTimestamp.Time) {
			return errors.New("it is the same")
		}
		return nil
	})
	// Labels of somebody else are not what it is made of.
	label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"a"}}}`))
	for _, obj := range []client.Object{p.secret("pull-secret"), bundle} {
		if err := p.client.Patch(p.t.Context(), obj, label, client.FieldOwner("kubectl-label")); err != nil {
			p.t.Fatal(err)
		}
	}
	r := p.run()
	r.await(string(token.Data[tokens.KeyToken]))
	p.awaitReport(other.Name, payload.ReasonInvalidConfig, "secret pull-secret is not the one that the token secret was made for; waiting for it. If it was replaced before the token secret was made, delete the token secret")
	r.stop()

	p.mirror.SetAuth(basic("another-password"))
	change(p, new(corev1.Secret), "pull-secret", func(s *corev1.Secret) {
		s.Data[corev1.DockerConfigJsonKey] = machineconfig.PullSecret(user, "another-password", p.mirror.Host())
	})
	change(p, new(corev1.ConfigMap), "user-ca-bundle", func(c *corev1.ConfigMap) { c.Data["ca-bundle.crt"] = "another authority" })
	p.run().await(string(token.Data[tokens.KeyToken]))
	p.untouched()
}

// R12: not one packet to a source that policy forbids: not where a mirror lacks what is
// asked for, not for tags, not while mirrors are down.
func testNeverContactSource(p *location) {
	r := p.run()
	packets := p.source.Main()
	before := packets.Stats()
	remove := p.mirror.Fail(testregistry.Match{Repository: machineconfig.MirroredComponents}, testregistry.Status(http.StatusNotFound))
	p.token("token-missing")
	p.awaitReport("token-missing", payload.ReasonInvalidConfig, p.mirror.Host()+"/"+machineconfig.MirroredComponents+": not-found")
	remove()
	tag := p.source.Host() + "/" + machineconfig.ReleaseRepository + ":" + p.images.Version
	p.token("token-tag", func(s *corev1.Secret) { s.Data[tokens.KeyRelease] = []byte(tag) })
	p.awaitReport("token-tag", payload.ReasonAsExpected, "")
	p.mirror.Down()
	p.token("token-down", func(s *corev1.Secret) {
		s.Data[tokens.KeyRelease] = []byte(p.source.Host() + "/" + machineconfig.ReleaseRepository + ":other")
	})
	p.awaitReport("token-down", payload.ReasonInvalidConfig, "no endpoint has")
	r.stop()
	p.untouched()
	if after := packets.Stats(); after != before {
		p.t.Errorf("the source saw %+v; before %+v", after, before)
	}
}

// Other rules let what failed be tried again, and leave what is served.
func testRulesChange(p *location) {
	wrong := strings.ReplaceAll(p.mirrored(), machineconfig.MirroredComponents, "wrong/repository")
	file := p.file("policies.yaml", p.mirrored())
	r := p.run(func(proc *controller.Process) { proc.Options.OverridesFile = file })
	write := func(text string) {
		p.t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			p.t.Fatal(err)
		}
	}
	p.token("token-served")
	p.awaitReport("token-served", payload.ReasonAsExpected, "")
	write(wrong)
	cluster.Await(p.t, "the wrong rules to be in force", func(ctx context.Context) error {
		p.token(fmt.Sprintf("token-%d", time.Now().UnixNano()))
		var list corev1.SecretList
		if err := p.client.List(ctx, &list, client.InNamespace(p.namespace)); err != nil {
			return err
		}
		for _, s := range list.Items {
			if bytes.Contains(s.Data[tokens.KeyMessage], []byte("wrong/repository")) {
				return nil
			}
		}
		return errors.New("nothing failed yet")
	})
	write(p.mirrored())
	cluster.Await(p.t, "all to be made", func(ctx context.Context) error {
		var list corev1.SecretList
		if err := p.client.List(ctx, &list, client.InNamespace(p.namespace)); err != nil {
			return err
		}
		for _, s := range list.Items {
			if _, ok := s.Annotations[tokens.AnnotationToken]; ok && string(s.Data[tokens.KeyReason]) != payload.ReasonAsExpected {
				return fmt.Errorf("%s says %s", s.Name, s.Data[tokens.KeyMessage])
			}
		}
		return nil
	})
	if n := r.counts.of("PATCH", "/secrets/token-served"); n != 1 {
		p.t.Errorf("what is served was written %d times", n)
	}
	p.untouched()
}

// Several payloads are made at once: while the downloads of one hang, others are done.
func testSeveral(p *location) {
	r := p.run(func(proc *controller.Process) { proc.Options.Parallel = 2 })
	other := machineconfig.Release{Version: "4.16.1", Source: p.source.Host(), Program: program}
	images, err := other.Images()
	if err != nil {
		p.t.Fatal(err)
	}
	images.PushTo(p.mirror.Push)
	hung := testregistry.Match{Repository: machineconfig.MirroredRelease, Reference: images.Release.Digest}
	remove := p.mirror.Fail(hung, testregistry.Hang())
	p.token("token-hung", func(s *corev1.Secret) { s.Data[tokens.KeyRelease] = []byte(images.Pullspec) })
	if err := p.mirror.Wait(p.t.Context(), 1, hung); err != nil {
		p.t.Fatal(err)
	}
	for i := range 2 {
		p.token(fmt.Sprintf("token-%d", i))
		p.awaitReport(fmt.Sprintf("token-%d", i), payload.ReasonAsExpected, "")
	}
	remove()
	p.awaitReport("token-hung", payload.ReasonAsExpected, "")
	r.stop()
	p.untouched()
}

// A server takes over once the Secrets that were there had their turn, or patience is
// over. Booting nodes are served by the one before it until then.
func testReady(p *location) {
	t := p.t
	ready := func(r *running) error {
		status, err := r.status("/healthz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("/healthz says %d", status)
		}
		return err
	}
	hung := testregistry.Match{Repository: machineconfig.MirroredRelease}
	remove := p.mirror.Fail(hung, testregistry.Hang())
	secret := p.token("token-a")
	r := p.run()
	if err := p.mirror.Wait(t.Context(), 1, hung); err != nil {
		t.Fatal(err)
	}
	if status, err := r.status("/healthz"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/healthz says %d, %v before there is a payload", status, err)
	}
	impatient := p.run(func(proc *controller.Process) { proc.ReadyWithin = time.Nanosecond })
	if err := ready(impatient); err != nil {
		t.Errorf("patience does not end: %v", err)
	}
	impatient.stop()
	r.stop()
	remove()
	r = p.run()
	cluster.Await(t, "the server to be ready", func(context.Context) error { return ready(r) })
	// At once: the first answer, not one that is waited for.
	if status, _, err := r.node(string(secret.Data[tokens.KeyToken])); err != nil || status != http.StatusOK {
		t.Errorf("a node gets %d, %v", status, err)
	}
	r.stop()
	// One that fails, and one that is gone, had their turn; and with none there is none to wait for.
	change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) { s.Data[tokens.KeyConfig] = []byte("broken") })
	second := p.run()
	cluster.Await(t, "the server to be ready in spite of a failure", func(context.Context) error { return ready(second) })
	second.stop()
	p.delete(secret)
	alone := p.run()
	cluster.Await(t, "the server to be ready without a Secret", func(context.Context) error { return ready(alone) })
}

// Payloads that take their time, and those that wait for them, hold nothing else up.
func testSlowPayloads(p *location) {
	hung := testregistry.Match{Repository: machineconfig.MirroredRelease}
	remove := p.mirror.Fail(hung, testregistry.Hang())
	r := p.run(func(proc *controller.Process) { proc.Options.Parallel = 1 })
	for i := range 8 {
		p.token(fmt.Sprintf("token-%d", i))
	}
	if err := p.mirror.Wait(p.t.Context(), 1, hung); err != nil {
		p.t.Fatal(err)
	}
	p.token("token-expired", func(s *corev1.Secret) { s.Annotations[tokens.AnnotationExpires] = "long ago" })
	cluster.Await(p.t, "the expired secret to be deleted", func(context.Context) error {
		if err := p.get("token-expired", new(corev1.Secret)); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there: %v", err)
		}
		return nil
	})
	if n := r.value("ign_server_payload_cache_miss_total"); n != 1 {
		p.t.Errorf("%v payloads were begun; want 1", n)
	}
	remove()
	for i := range 8 {
		p.awaitReport(fmt.Sprintf("token-%d", i), payload.ReasonAsExpected, "")
	}
}

// What an earlier process said is missing is not missing for ever.
func testConditionOfBefore(p *location) {
	r := p.run()
	p.token("token-broken")
	p.token("token-kept")
	p.awaitReport("token-kept", payload.ReasonAsExpected, "")
	p.awaitReport("token-broken", payload.ReasonAsExpected, "")
	r.stop()
	say := func() {
		p.t.Helper()
		var hcp hyperv1.HostedControlPlane
		if err := p.get("hcp", &hcp); err != nil {
			p.t.Fatal(err)
		}
		apimeta.SetStatusCondition(&hcp.Status.Conditions, metav1.Condition{
			Type: string(hyperv1.IgnitionServerValidReleaseInfo), Status: metav1.ConditionFalse,
			Reason: hyperv1.MissingReleaseImagesReason, Message: "x",
		})
		if err := p.client.Status().Update(p.t.Context(), &hcp); err != nil {
			p.t.Fatal(err)
		}
	}
	recovers := func(what string) {
		p.t.Helper()
		cluster.Await(p.t, "the condition "+what, func(context.Context) error {
			if c := p.releaseInfo(); c.Status != metav1.ConditionTrue {
				return fmt.Errorf("%s %q", c.Status, c.Message)
			}
			return nil
		})
	}
	say()
	p.delete(p.secret("token-broken"))
	second := p.run(func(proc *controller.Process) { proc.Options.WorkDir = r.workDir })
	recovers("with what is stored")
	second.stop()
	say()
	p.delete(p.secret("token-kept"))
	p.run()
	recovers("without a Secret")
}

// Rules in HyperShift's own variable and flag do too, and the flag's reach nodes.
func testEnvironment(p *location) {
	pair := func(source, mirror string) string {
		return p.source.Host() + "/" + source + "=" + p.mirror.Host() + "/" + mirror
	}
	both := pair(machineconfig.ReleaseRepository, machineconfig.MirroredRelease) + "," + pair(machineconfig.ComponentRepository, machineconfig.MirroredComponents)
	secret := p.token("token-a")
	p.source.Down()
	for name, c := range map[string]struct{ env, flag string }{"OPENSHIFT_IMG_OVERRIDES": {both, "="}, "registry-overrides": {"=", both}} {
		p.t.Run(name, func(t *testing.T) {
			r := p.run(func(proc *controller.Process) {
				proc.Options.OverridesFile = ""
				proc.Options.RegistryOverrides = c.flag
				proc.Options.LookupEnv = func(name string) (string, bool) {
					return c.env, name == "OPENSHIFT_IMG_OVERRIDES"
				}
			})
			args := r.await(string(secret.Data[tokens.KeyToken]))["operator.args"]
			if got := strings.Contains(args, p.mirror.Host()); got != (c.flag != "=") {
				t.Errorf("a mirror on nodes is %t: %s", got, args)
			}
			r.stop()
		})
	}
}

// R8: without an API server what was made before is served; what is new comes when it
// is back.
func TestR8APIServerAway(t *testing.T) {
	s := newSite(t)
	p := s.location(t)
	r := p.run()
	kept := string(p.token("token-kept").Data[tokens.KeyToken])
	p.awaitReport("token-kept", payload.ReasonAsExpected, "")

	// Away later.
	s.cluster.StopAPI(t)
	if status, _, err := r.node(kept); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
	// Away when it starts.
	r.lossy = true // nobody is there to be told that the token was used
	r.stop()
	second := p.run(func(proc *controller.Process) { proc.Options.WorkDir = r.workDir })
	second.await(kept)
	s.cluster.StartAPI(t)
	p.token("token-new")
	p.awaitReport("token-new", payload.ReasonAsExpected, "")
	cluster.Await(t, "the annotation that could not be written", func(context.Context) error {
		if p.secret("token-kept").Annotations[tokens.AnnotationReached] != "True" {
			return errors.New("not annotated")
		}
		return nil
	})
	if n := second.value("ign_server_payload_cache_miss_total"); n != 1 {
		t.Errorf("%v payloads were made; want 1", n)
	}
	s.cluster.StopAPI(t)
	s.cluster.StartAPI(t)
	p.token("token-newer")
	p.awaitReport("token-newer", payload.ReasonAsExpected, "")
	second.stop()
	p.untouched()
}

// What cannot become right by waiting is an error at once.
func TestOptions(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, o := range map[string]controller.Options{
		"MY_NAMESPACE":         {WorkDir: "x", CertFile: "x", KeyFile: "x"},
		"--work-dir":           {Namespace: "x", CertFile: "x", KeyFile: "x"},
		"--cert-file":          {Namespace: "x", WorkDir: "x"},
		"--registry-overrides": {Namespace: "x", WorkDir: t.TempDir(), CertFile: "x", KeyFile: "x", RegistryOverrides: "a b=c"},
	} {
		if _, err := controller.New(t.Context(), controller.Process{Options: o, Listener: l}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s in it", err, want)
		}
	}
}
