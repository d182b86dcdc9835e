package hostedcontrolplane_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/goleak"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Digest rules serve tags too when releases are looked up, and what they forbid is
// forbidden for tags.
func neverContactSourceByTag(t *testing.T, p *location) {
	handed, err := hcpkg.HandOver(mustRules(t, never(mirror(policy.PullDigest, p.source.Host(), p.mirror.Host()+"/empty"))))
	if err != nil {
		t.Fatal(err)
	}
	document, _ := envOf(handed, handover.Variable)
	vars := map[string]string{handover.Variable: document}
	hcp := p.hcp()
	hcp.Spec.ReleaseImage = p.source.Host() + "/ocp/release:4.17.3"
	p.create(t, hcp)
	stop := p.run(t, vars, hcpkg.Options{})
	p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
	stop()
	p.mirror.Push("empty/ocp/release", "4.17.3", mustImage(p))
	p.touch(t, "a")
	p.run(t, vars, hcpkg.Options{})
	p.awaitValid(t)
	if stats := p.source.Main().Stats(); stats.Connections != 0 {
		t.Errorf("the source was contacted: %+v", stats)
	}
}

// Rules that do not fit the environment are not handed on: the Deployment keeps those
// that it has, and the condition says what to do.
func tooLarge(t *testing.T, p *location) {
	p.create(t, p.hcp())
	stop := p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	before := p.versions(t)
	stop()

	var many strings.Builder
	many.WriteString(p.mirrored())
	for i := range 2500 {
		fmt.Fprintf(&many, ",registry-%d.example.com/a/b=mirror.example.com/a/b", i)
	}
	p.touch(t, "a")
	stop = p.run(t, map[string]string{handover.ImageOverridesVariable: many.String()}, hcpkg.Options{})
	_, message := p.await(t, string(hypershift.OverridesHandedOver), metav1.ConditionFalse, hypershift.TooLargeReason)
	if !strings.Contains(message, "configmap") {
		t.Errorf("no advice in %q", message)
	}
	p.awaitValid(t) // its own lookups have them all
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	stop()
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.await(t, string(hypershift.OverridesHandedOver), metav1.ConditionTrue, hyperv1.AsExpectedReason)
}

// Overrides that name no image, or no component, stop nothing: the rest holds, and a
// condition says what is not used, for as long as it is.
func oddOverrides(t *testing.T, p *location) {
	p.create(t, p.hcp())
	stop := p.run(t, map[string]string{handover.ImageOverridesVariable: " a = b ," + p.mirrored()}, hcpkg.Options{ImageOverrides: "etcd=NO IMAGE, a = b ,etcdd=quay.io/h/etcd:1,machine-config-operator=quay.io/h/cli:1,socks5-proxy=quay.io/h/socks:1"})
	p.awaitValid(t)
	_, message := p.await(t, hcpkg.ImageOverridesApplied, metav1.ConditionFalse, hcpkg.ReasonSkipped)
	for _, want := range []string{"etcd=NO IMAGE", " a = b ", `"etcdd" is no component of release 4.17.3`, hyperv1.ImageOverridesAnnotation} {
		if !strings.Contains(message, want) {
			t.Errorf("no %q in %q", want, message)
		}
	}
	if strings.Contains(message, "machine-config-operator") || strings.Contains(message, "socks5-proxy") {
		t.Errorf("what is used is in %q", message)
	}
	stop()
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{ImageOverrides: "="})
	p.touch(t, "a")
	cluster.Await(t, "the condition to go", func(ctx context.Context) error {
		var hcp hyperv1.HostedControlPlane
		if err := p.get(ctx, "hcp", &hcp); err != nil {
			return err
		}
		if c := apimeta.FindStatusCondition(hcp.Status.Conditions, hcpkg.ImageOverridesApplied); c != nil {
			return fmt.Errorf("it says %s", c.Message)
		}
		return nil
	})
}

// A rotated pull secret is used from the next lookup on, by what is in force already.
func pullSecretRotated(t *testing.T, p *location) {
	p.source.Down()
	use := func(password string) {
		t.Helper()
		p.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "u", Password: password}}})
		if err := p.client.Update(t.Context(), p.pullSecret(p.auths(t, "u", password))); err != nil {
			t.Fatal(err)
		}
	}
	use("first")
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	before := p.versions(t)
	p.mirror.ResetLog()
	use("second") // the Secret is watched: nothing else is needed for a lookup
	if err := p.mirror.Wait(t.Context(), 1, testregistry.Match{Kind: testregistry.Manifest}); err != nil {
		t.Fatal(err)
	}
	p.touch(t, "a")
	p.awaitValid(t)
	for _, q := range p.mirror.Requests(testregistry.Match{Kind: testregistry.Manifest}) {
		if q.Status >= 400 {
			t.Errorf("%s %s: %d", q.Method, q.Path, q.Status)
		}
	}
	delete(before, "*v1.SecretList pull-secret")
	after := p.versions(t)
	delete(after, "*v1.SecretList pull-secret")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// inForce awaits what the metric says of the operator's file.
func (p *location) inForce(t *testing.T, want float64) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("the file to be in force: %v", want), func(context.Context) error {
		families, err := p.metrics.Gather()
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.GetName() != "mirrorchain_source_in_force" {
				continue
			}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if strings.HasPrefix(l.GetValue(), "file:") && m.GetGauge().GetValue() == want {
						return nil
					}
				}
			}
		}
		return fmt.Errorf("metrics %v", families)
	})
}

// Without the file that hands rules over the operator does not start: the kubelet starts
// no container before it is there. One that cannot be read at the start is waited for;
// later the last good rules stay.
func handedOverFile(t *testing.T, p *location) {
	path := filepath.Join(t.TempDir(), handover.Key)
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	_, err := hcpkg.NewManager(t.Context(), hcpkg.Process{REST: p.account(), Base: p.base, HealthAddr: "0", Options: hcpkg.Options{
		Namespace: p.namespace, OverridesFile: path, LookupEnv: func(name string) (string, bool) {
			if name == "CONTROL_PLANE_OPERATOR_IMAGE" {
				return operatorImage, true
			}
			return "", false
		},
	}})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("started without the file: %v", err)
	}
	document, err := handover.Encode(mustRules(t, never(mirror(policy.PullDigest, p.source.Host(), p.mirror.Host()+"/empty"))))
	if err != nil {
		t.Fatal(err)
	}
	p.mirror.Push("empty/ocp/release", "", mustImage(p))
	put("{")
	p.create(t, p.hcp())
	p.run(t, nil, hcpkg.Options{OverridesFile: path})
	p.inForce(t, 0)
	put(string(document))
	p.awaitValid(t)
	p.inForce(t, 1)
	before := p.versions(t)

	put(string(document[:len(document)/2]))
	p.inForce(t, 0)
	p.touch(t, "a")
	p.awaitValid(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if n := p.source.Main().Stats().Connections; n != 0 {
		t.Errorf("%d connections to the source", n)
	}
	put(string(document))
	p.inForce(t, 1)
}

// The API server is away at the start, and once more later.
func apiServerAway(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.restarted = true
	p.cluster.StopAPI(t)
	back := sync.OnceFunc(func() { p.cluster.StartAPI(t) })
	t.Cleanup(back)
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	back()
	p.awaitValid(t)
	before := p.versions(t)

	p.cluster.StopAPI(t)
	p.cluster.StartAPI(t)
	p.touch(t, "a")
	p.awaitValid(t)
	if diff := cmp.Diff(before, p.versions(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A pause with an end ends by itself.
func pauseEnds(t *testing.T, p *location) {
	hcp := p.hcp()
	hcp.Spec.PausedUntil = new(time.Now().Add(2 * time.Second).Format(time.RFC3339))
	p.create(t, hcp)
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
}

// When the operator has ended, nothing of it goes on.
func nothingOutlivesIt(t *testing.T, p *location) {
	p.create(t, p.hcp())
	before := goleak.IgnoreCurrent()
	conn := p.account()
	var mu sync.Mutex
	var conns []net.Conn // which client-go keeps open for its next client
	conn.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, c)
		}
		return c, err
	}
	stop := p.runAs(t, conn, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	stop()
	mu.Lock()
	for _, c := range conns {
		c.Close()
	}
	mu.Unlock()
	p.base.Close()
	p.mirror.Main().CloseConnections()
	goleak.VerifyNone(t, before,
		// The test's own client may have had to connect again meanwhile.
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		// controller-runtime's own: an event that comes while a watch ends has no reader left.
		goleak.IgnoreTopFunction("k8s.io/apimachinery/pkg/watch.(*filteredWatch).loop"))
}
