// Package kubetest is what every source on a cluster has to stand, on a real API
// server: the conformance suite, and what can happen to a cluster meanwhile.
//
// It is test equipment and must not be linked into a program.
package kubetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// Case is one kind of policy.
type Case struct {
	// Factory is the plugin under test.
	Factory func(kube.Config) sources.Factory
	// CRD is the path of the kind's definition below the module openshift/api.
	CRD string
	// Resource is what its objects are listed as.
	Resource schema.GroupVersionResource
	// Also are other resources that the source reads.
	Also []schema.GroupVersionResource
	// Names are two names that objects may have; the second is empty where only
	// one object counts.
	Names [2]string
	// Object says something about location, which is a host.
	Object func(name, location string) *unstructured.Unstructured
	// Says reports whether rules say of location what Object says.
	Says func(rules *policy.Rules, location string) bool
	// Origin is that of what Object says first.
	Origin func(name string) string
	// Broken is an object that the API server accepts and that means nothing. Nil
	// where the API server accepts no such object.
	Broken func(name string) *unstructured.Unstructured
}

// Run tests the kind on a cluster of its own.
func Run(t *testing.T, c Case) {
	b := &bench{Case: c, cluster: cluster.Start(t), crd: cluster.OpenShiftCRD(t, c.CRD)}
	t.Run("Absent", b.testAbsent) // leaves the kind installed
	t.Run("Conformance", b.testConformance)
	t.Run("Follow", b.testFollow)
	t.Run("Forbidden", b.testForbidden)
	t.Run("WatchExpired", b.testWatchExpired)
	t.Run("WatchEnds", b.testWatchEnds)
	t.Run("ServerAway", b.testServerAway)
}

// bench is a case with its cluster.
type bench struct {
	Case
	cluster *cluster.Cluster
	crd     *unstructured.Unstructured
}

func (b *bench) objects(t testing.TB) dynamic.ResourceInterface {
	return b.cluster.Dynamic(t).Resource(b.Resource)
}

// put creates or replaces an object.
func (b *bench) put(t testing.TB, o *unstructured.Unstructured) {
	t.Helper()
	old, err := b.objects(t).Get(t.Context(), o.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = b.objects(t).Create(t.Context(), o, metav1.CreateOptions{})
	case err == nil:
		o.SetResourceVersion(old.GetResourceVersion())
		_, err = b.objects(t).Update(t.Context(), o, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) remove(t testing.TB, name string) {
	t.Helper()
	if name == "" {
		return
	}
	if err := b.objects(t).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

// clear removes all objects, now and after the test.
func (b *bench) clear(t testing.TB) {
	t.Helper()
	for _, name := range b.Names {
		if name == "" {
			continue
		}
		b.remove(t, name)
		t.Cleanup(func() {
			// The test's own context has ended by now.
			err := b.objects(t).Delete(context.Background(), name, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("cleaning up: %v", err)
			}
		})
	}
}

// open makes the source on a connection, without the client's own limits, so that
// tests wait for nothing but the server.
func (b *bench) open(t testing.TB, conn *rest.Config) policy.OverrideSource {
	t.Helper()
	conn.QPS, conn.Burst = 10_000, 10_000
	f := b.Factory(kube.Config{REST: conn, AbsentPoll: 20 * time.Millisecond})
	src, err := f.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// resolve follows the source until the test ends, and checks that nothing is left
// then but the connection, which client-go keeps for others.
func (b *bench) resolve(t testing.TB, src policy.OverrideSource) *follower {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{Retry: 10 * time.Millisecond, Poll: 100 * time.Millisecond}, src)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before,
			goleak.IgnoreAnyFunction(connection),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait")) // the API server's, started again meanwhile
	})
	return &follower{Resolver: r, says: b.Says}
}

func (b *bench) testConformance(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
		b.clear(t)
		name := b.Names[0]
		b.put(t, b.Object(name, one))
		f := sourcetest.Fixture{
			Source: b.open(t, b.cluster.Config()),
			Shared: []string{connection},
			Change: func(t *testing.T) { b.put(t, b.Object(name, two)) },
			Away: func(t *testing.T) {
				b.cluster.StopAPI(t)
				t.Cleanup(func() { b.cluster.StartAPI(t) })
			},
		}
		if b.Broken != nil {
			f.Break = func(t *testing.T) { b.put(t, b.Broken(name)) }
		}
		return f
	})
}

// follower is a resolver with one source.
type follower struct {
	*sources.Resolver
	says func(rules *policy.Rules, location string) bool
}

func (f *follower) status() sources.SourceStatus { return f.Status()[0] }

// await returns when the rules in force say something about exactly these
// locations, out of one, two and three.
func (f *follower) await(t testing.TB, locations ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	for rules := range f.Changes(ctx) {
		if slices.Equal(f.said(rules), locations) {
			return
		}
	}
	t.Fatalf("waited in vain for %q; in force is %q; the status is %+v", locations, f.said(f.Current()), f.status())
}

// expect checks what is in force now.
func (f *follower) expect(t testing.TB, locations ...string) {
	t.Helper()
	if said := f.said(f.Current()); !slices.Equal(said, locations) {
		t.Errorf("in force is %q, want %q", said, locations)
	}
}

func (f *follower) said(rules *policy.Rules) []string {
	var said []string
	for _, l := range []string{one, two, three} {
		if rules != nil && f.says(rules, l) {
			said = append(said, l)
		}
	}
	return said
}

// awaitStatus returns when the source's status is as check wants it.
func (f *follower) awaitStatus(t testing.TB, what string, check func(sources.SourceStatus) bool) {
	t.Helper()
	cluster.Await(t, what, func(context.Context) error {
		if s := f.status(); !check(s) {
			return fmt.Errorf("the status is %+v", s)
		}
		return nil
	})
}

// connection is what reads a connection of client-go's pool, which all clients of
// the process share.
const connection = "golang.org/x/net/http2.(*ClientConn).readLoop"

// Places that objects talk about.
const (
	one   = "one.example.com"
	two   = "two.example.com"
	three = "three.example.com"
)
