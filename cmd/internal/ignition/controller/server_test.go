package controller_test

import (
	"bytes"
	"context"
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
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
