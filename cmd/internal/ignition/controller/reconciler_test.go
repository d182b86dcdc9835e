package controller_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// replica is one server's reconciler, with a generator of the test's own.
type replica struct {
	*controller.Reconciler
	location *location
	store    *tokens.Store
	counts   counts
	made     atomic.Int64
	make     func(ctx context.Context, in payload.Inputs) (payload.Result, error)
}

const ignition = `{"ignition":{"version":"3.2.0"}}`

func (p *location) replica() *replica {
	p.t.Helper()
	store, err := tokens.OpenStore(tokens.StoreConfig{})
	if err != nil {
		p.t.Fatal(err)
	}
	r := &replica{location: p, store: store}
	c := admin(p.t, p.user(&r.counts))
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{Ignition: []byte(ignition)}, nil
	}
	r.Reconciler = &controller.Reconciler{
		Client: c, Platform: "None", Store: store, Generator: r, Log: zap.NewNop(),
		Release: controller.NewReleaseInfo(c, p.namespace), Metrics: controller.NewMetrics(store),
	}
	return r
}

func (r *replica) Generate(ctx context.Context, in payload.Inputs) (payload.Result, error) {
	r.made.Add(1)
	return r.make(ctx, in)
}

func (r *replica) reconcile(ctx context.Context, name string) (ctrl.Result, error) {
	return r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKey{Namespace: r.location.namespace, Name: name}})
}

// must reconciles without an error.
func (r *replica) must(name string) ctrl.Result {
	r.location.t.Helper()
	res, err := r.reconcile(r.location.t.Context(), name)
	if err != nil {
		r.location.t.Fatal(err)
	}
	return res
}

// serves checks what the store has for a token.
func (r *replica) serves(token []byte, want bool) {
	r.location.t.Helper()
	if _, ok := r.store.Lookup(string(token)); ok != want {
		r.location.t.Errorf("serving a token is %t; want %t", ok, want)
	}
}

func inPlace(s *corev1.Secret) { s.Annotations[tokens.AnnotationUpgradeType] = tokens.UpgradeInPlace }

func TestReconciler(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]func(*location){
		"Rotation": testRotation, "Replicas": testReplicas,
		"Expiry": testExpiry, "Deletion": testDeletion, "InPlace": testInPlace, "TooLarge": testTooLarge,
		"Replace": testReplace, "OurEnd": testOurEnd, "Unreported": testUnreported, "Condition": testCondition,
		"CloudConfig": testCloudConfig, "ChangedMeanwhile": testChangedMeanwhile, "ChangedWhileMade": testChangedWhileMade,
		"MadeAgainUnderItsName": testMadeAgain, "ConditionRecovers": testConditionRecovers, "Busy": testBusy, "Limit": testLimit,
		"Requeue": testRequeue, "Foreign": testForeign, "Disagreement": testDisagreement,
	} {
		t.Run(name, func(t *testing.T) { test(s.location(t)) })
	}
}

// OCPBUGS-42320: one failure is written once, however its text varies.
func TestOCPBUGS42320OneFailureOnePatch(t *testing.T) {
	p := newSite(t).location(t)
	r := p.replica()
	p.token("token-a")
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{}, fmt.Errorf("reading quay.io/a/b@sha256:%064x: read tcp 10.0.0.1:%d->10.0.0.2:443: reset", rand.Uint64(), 30000+rand.IntN(9999))
	}
	for i := range 100 {
		r.Now = func() time.Time { return time.Now().Add(time.Duration(i) * 2 * time.Minute) } // as it is tried again
		if _, err := r.reconcile(t.Context(), "token-a"); err == nil {
			t.Fatal("no error: it would not be tried again")
		}
	}
	if n := r.counts.of("PATCH", "/secrets/token-a"); n != 1 {
		t.Errorf("%d patches; want 1", n)
	}
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "reading quay.io/a/b: read tcp 10.0.0.2:443: reset")
	if got := r.made.Load(); got != 100 {
		t.Errorf("tried %d times", got)
	}
}

func testRotation(p *location) {
	t, r := p.t, p.replica()
	first := p.token("token-a").Data[tokens.KeyToken]
	r.must("token-a")
	r.Now = func() time.Time { return time.Now().Add(tokens.RotateAfter + time.Minute) }
	if res := r.must("token-a"); res.RequeueAfter != tokens.RotateAfter {
		t.Errorf("it is looked at again after %v; want %v", res.RequeueAfter, tokens.RotateAfter)
	}
	s := p.secret("token-a")
	second := s.Data[tokens.KeyToken]
	if bytes.Equal(first, second) || !bytes.Equal(first, s.Data[tokens.KeyOldToken]) {
		t.Errorf("the tokens are not rotated")
	}
	if at, err := time.Parse(time.RFC3339Nano, s.Annotations[tokens.AnnotationGenerated]); err != nil || time.Until(at) < tokens.RotateAfter {
		t.Errorf("made at %v, %v", at, err)
	}
	r.serves(first, true)
	r.serves(second, true)
	r.must("token-a")
	if !bytes.Equal(p.secret("token-a").Data[tokens.KeyToken], second) || r.made.Load() != 1 {
		t.Errorf("rotated again, or made %d times", r.made.Load())
	}

	// What cannot be written is not served, and what was goes on.
	r.Now = func() time.Time { return time.Now().Add(2*tokens.RotateAfter + time.Hour) }
	r.Client = refusing{r.Client}
	if _, err := r.reconcile(t.Context(), "token-a"); err == nil {
		t.Error("no error")
	}
	if n := r.store.Len(); n != 2 {
		t.Errorf("%d tokens are served; want the two that the Secret names", n)
	}
	r.serves(second, true)
}

type refusing struct{ client.Client }

func (refusing) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return errors.New("refused")
}

// Replicas rotate a token once, each serves all there is, and none makes a payload
// for it again.
func testReplicas(p *location) {
	t := p.t
	replicas := []*replica{p.replica(), p.replica(), p.replica()}
	first := p.token("token-a").Data[tokens.KeyToken]
	later := func() time.Time { return time.Now().Add(tokens.RotateAfter + time.Minute) }
	all := func(f func(*replica)) {
		var wg sync.WaitGroup
		for _, r := range replicas {
			wg.Go(func() { f(r) })
		}
		wg.Wait()
	}
	all(func(r *replica) { r.must("token-a") })
	for _, r := range replicas {
		r.Now = later
	}
	// Each as often as it asks for because of a conflict, and once more, as it would be
	// told of the change.
	all(func(r *replica) {
		for range 10 {
			r.must("token-a")
		}
	})
	s := p.secret("token-a")
	if !bytes.Equal(s.Data[tokens.KeyOldToken], first) {
		t.Error("rotated more than once")
	}
	patches := 0
	for _, r := range replicas {
		r.serves(first, true)
		r.serves(s.Data[tokens.KeyToken], true)
		if n := r.made.Load(); n != 1 {
			t.Errorf("a replica made %d payloads", n)
		}
		if n := r.store.Len(); n != 2 {
			t.Errorf("a replica serves %d tokens", n)
		}
		patches += r.counts.of("PATCH", "/secrets/token-a")
	}
	if patches > 2*len(replicas) {
		t.Errorf("%d requests to write", patches)
	}
}

func testExpiry(p *location) {
	t, r := p.t, p.replica()
	s := p.token("token-a")
	r.must("token-a")
	change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) {
		s.Annotations[tokens.AnnotationExpires] = time.Now().Add(time.Hour).Format(time.RFC3339)
	})
	if res := r.must("token-a"); res.RequeueAfter > time.Hour || res.RequeueAfter < time.Minute {
		t.Errorf("looked at again after %v; want an hour", res.RequeueAfter)
	}
	r.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	r.must("token-a")
	r.serves(s.Data[tokens.KeyToken], false)
	if err := p.get("token-a", new(corev1.Secret)); !apierrors.IsNotFound(err) {
		t.Errorf("the expired secret: %v", err)
	}
}

func testDeletion(p *location) {
	r := p.replica()
	a, b := p.token("token-a"), p.token("token-b")
	r.must("token-a")
	r.must("token-b")
	p.delete(a)
	r.must("token-a")
	r.serves(a.Data[tokens.KeyToken], false)
	r.serves(b.Data[tokens.KeyToken], true)
}

func testInPlace(p *location) {
	t, r := p.t, p.replica()
	p.token("token-a", inPlace)
	r.must("token-a")
	r.must("token-a")
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(p.secret("token-a").Data[tokens.KeyPayload])))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != ignition {
		t.Errorf("the secret holds %q, %v", body, err)
	}
	if n := r.counts.of("PATCH", "/secrets/token-a"); n != 1 {
		t.Errorf("%d patches; want 1", n)
	}
}

// A payload too big for a Secret is told of, once, and served all the same.
func testTooLarge(p *location) {
	t, r := p.t, p.replica()
	s := p.token("token-a", inPlace)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	noise = append(noise, noise...)
	for i := range noise[1<<20:] {
		noise[1<<20+i] = "ghijklmnopqrstuv"[rand.IntN(16)]
	}
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{Ignition: []byte(`{"ignition":{"version":"3.2.0"},"x":"` + string(noise) + `"}`)}, nil
	}
	for range 3 {
		r.must("token-a")
	}
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "use upgrade type Replace")
	r.serves(s.Data[tokens.KeyToken], true)
	if n := r.counts.of("PATCH", "/secrets/token-a"); n != 1 || r.made.Load() != 1 {
		t.Errorf("%d patches, made %d times; want 1 each", n, r.made.Load())
	}
}

func testReplace(p *location) {
	t, r := p.t, p.replica()
	p.token("token-a", func(s *corev1.Secret) { s.Data[tokens.KeyPayload] = []byte("old") })
	r.must("token-a")
	if _, ok := p.awaitReport("token-a", payload.ReasonAsExpected, "").Data[tokens.KeyPayload]; ok {
		t.Error("a payload is in the secret of a node pool that replaces")
	}
}

// A Secret that waits for other payloads is woken, and keeps no worker waiting.
func testBusy(p *location) {
	t, r := p.t, p.replica()
	woken := make(chan string, 1)
	r.Slots = controller.NewSlots(1, func(_ context.Context, secret string) { woken <- secret })
	p.token("token-a")
	p.token("token-b")
	make := r.make
	r.make = func(ctx context.Context, in payload.Inputs) (payload.Result, error) {
		if in.Name == "token-a" {
			r.must("token-b")
			if r.made.Load() != 1 {
				t.Errorf("%d payloads are made at once; want 1", r.made.Load())
			}
		}
		return make(ctx, in)
	}
	r.must("token-a")
	if got := <-woken; got != "token-b" {
		t.Errorf("%s was woken", got)
	}
	r.must("token-b")
	p.awaitReport("token-b", payload.ReasonAsExpected, "")
	if r.made.Load() != 2 || len(woken) != 0 {
		t.Errorf("%d payloads were made, and %d Secrets woken once more", r.made.Load(), len(woken))
	}
}

// What takes for ever is ended, and said.
func testLimit(p *location) {
	r := p.replica()
	r.Limit = 10 * time.Second // enough to read the inputs
	p.token("token-a")
	r.make = func(ctx context.Context, _ payload.Inputs) (payload.Result, error) {
		<-ctx.Done()
		return payload.Result{}, ctx.Err()
	}
	if _, err := r.reconcile(p.t.Context(), "token-a"); !errors.Is(err, context.DeadlineExceeded) {
		p.t.Errorf("got %v", err)
	}
	p.awaitReport("token-a", payload.ReasonInvalidConfig, "deadline exceeded")
}

func testRequeue(p *location) {
	t, r := p.t, p.replica()
	p.token("token-a", func(s *corev1.Secret) {
		s.Annotations[tokens.AnnotationGenerated] = time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
	})
	for range 2 {
		res := r.must("token-a")
		if want := tokens.RotateAfter - time.Hour; res.RequeueAfter > want || res.RequeueAfter < want-10*time.Minute {
			t.Errorf("looked at again after %v; want %v", res.RequeueAfter, want)
		}
	}
}

// Replicas that fare differently do not answer each other's reports for ever.
func testDisagreement(p *location) {
	t := p.t
	well, ill, other := p.replica(), p.replica(), p.replica()
	ill.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{}, errors.New("one reason")
	}
	other.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{}, errors.New("another reason")
	}
	p.token("token-a")
	for range 10 { // each write has all of them look again
		for _, r := range []*replica{well, ill, other} {
			_, _ = r.reconcile(t.Context(), "token-a")
		}
	}
	for name, r := range map[string]*replica{"well": well, "ill": ill, "other": other} {
		if n := r.counts.of("PATCH", "/secrets/token-a"); n > 3 || n == 0 {
			t.Errorf("%s wrote %d times", name, n)
		}
	}
}

// A Secret that is no token secret is nobody's business, whatever its data.
func testForeign(p *location) {
	r := p.replica()
	p.token("token-a", func(s *corev1.Secret) { delete(s.Annotations, tokens.AnnotationToken) })
	r.must("token-a")
	if r.made.Load() != 0 || r.counts.of("PATCH", "") != 0 || r.counts.of("DELETE", "") != 0 {
		p.t.Errorf("requests %v", r.counts.all)
	}
}
