package controller_test

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

func testCloudConfig(p *location) {
	t, r := p.t, p.replica()
	r.Platform = "Azure"
	data := map[string]string{"cloud.conf": "a: b"}
	s := p.token("token-a", func(s *corev1.Secret) { s.Data[tokens.KeyCloudHash] = []byte(payload.Hash("a: b")) })
	var got *payload.CloudConfig
	r.make = func(_ context.Context, in payload.Inputs) (payload.Result, error) {
		got = in.CloudConfig
		return payload.Result{Ignition: []byte(ignition)}, nil
	}
	r.must("token-a")
	if got != nil {
		t.Errorf("a cloud config from nowhere: %+v", got)
	}
	p.create(&corev1.ConfigMap{ObjectMeta: p.meta("azure-cloud-config"), Data: data})
	for name, hash := range map[string]string{
		"string": payload.Hash("a: b"), "bytes": payload.Hash([]byte("a: b")), "map": payload.Hash(data), "another": "00000000",
	} {
		change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) { s.Data[tokens.KeyCloudHash] = []byte(hash) })
		// Made again for another cloud config: the token has one that does not fit.
		if err := r.store.Forget(t.Context(), "token-a"); err != nil {
			t.Fatal(err)
		}
		r.must("token-a")
		if got == nil || (got.Hash == hash) != (name != "another") || !strings.Contains(string(got.Manifest), "cloud.conf: 'a: b'") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	made := r.made.Load()
	change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) { s.Data[tokens.KeyCloudHash] = []byte("11111111") })
	r.must("token-a")
	if r.made.Load() != made+1 {
		t.Error("not made again for another cloud config")
	}
	if have, _ := r.store.Lookup(string(s.Data[tokens.KeyToken])); have.CloudConfigHash != "11111111" {
		t.Errorf("what is served was made with %q", have.CloudConfigHash)
	}
}

// A report on what a Secret asked for before is not written to it.
func testChangedMeanwhile(p *location) {
	t, r := p.t, p.replica()
	p.token("token-a")
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) { s.Data[tokens.KeyHCHash] = []byte("h2") })
		return payload.Result{}, errors.New("broken")
	}
	if _, err := r.reconcile(t.Context(), "token-a"); err == nil {
		t.Error("no error")
	}
	if s := p.secret("token-a"); len(s.Data[tokens.KeyReason]) != 0 {
		t.Errorf("it says %s", s.Data[tokens.KeyReason])
	}
}

// What was made for what a Secret asked for before is neither served nor told of, even
// where the API server could not be asked at the time.
func testChangedWhileMade(p *location) {
	t := p.t
	for name, lost := range map[string]bool{"token-a": false, "token-b": true} {
		r := p.replica()
		direct := r.Client
		token := p.token(name).Data[tokens.KeyToken]
		r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
			if r.made.Load() > 1 {
				return payload.Result{Ignition: []byte(`{"ignition":{"version":"3.2.0"},"second":1}`)}, nil
			}
			change(p, new(corev1.Secret), name, func(s *corev1.Secret) { s.Data[tokens.KeyOSStream] = []byte("new") })
			if lost {
				r.Client = away{direct}
			}
			return payload.Result{Ignition: []byte(ignition)}, nil
		}
		if _, err := r.reconcile(t.Context(), name); (err != nil) != lost {
			t.Errorf("got %v", err)
		}
		r.Client = direct
		r.serves(token, lost)
		r.must(name)
		s := p.secret(name)
		if got, _ := r.store.Lookup(string(token)); string(s.Data[tokens.KeyReason]) != payload.ReasonAsExpected || !strings.Contains(string(got.Body), "second") {
			t.Errorf("%s says %q and serves %q", name, s.Data[tokens.KeyReason], got.Body)
		}
		r.must(name)
		if n := r.made.Load(); n != 2 {
			t.Errorf("made %d times; want 2", n)
		}
	}
}

type away struct{ client.Client }

func (away) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("away")
}

// Of a Secret that was deleted and made again between two looks nothing is left.
func testMadeAgain(p *location) {
	r := p.replica()
	first := p.token("token-a")
	r.must("token-a")
	p.delete(first)
	second := p.token("token-a")
	r.must("token-a")
	r.serves(first.Data[tokens.KeyToken], false)
	r.serves(second.Data[tokens.KeyToken], true)
	p.awaitReport("token-a", payload.ReasonAsExpected, "")
}
