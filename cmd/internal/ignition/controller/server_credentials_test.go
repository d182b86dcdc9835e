package controller_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
)

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
