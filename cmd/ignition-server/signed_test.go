package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
)

// The process asks for the signatures that its Deployment hands on, those that the
// hypershift-operator was told to ask for: a payload is made of a signed release alone, and
// the token Secret says why there is none.
func signedRelease(t *testing.T, c *cluster.Cluster, kube kubernetes.Interface, bin string, program []byte) {
	const namespace = "signed"
	source, mirror := startRegistry(t), startRegistry(t)
	images, err := machineconfig.Release{Source: source.Host(), Program: program}.Images()
	if err != nil {
		t.Fatal(err)
	}
	images.PushTo(mirror.Push)
	source.Down()
	dir, key := t.TempDir(), signing.NewGPG(t, "Our Release Key")
	ca, keyring := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.asc")
	for path, content := range map[string][]byte{ca: mirror.CA().PEM(), keyring: key.Public(t)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := new(signatureStore)
	site := httptest.NewServer(store)
	t.Cleanup(site.Close)
	flags := operator.SignatureFlags{Mode: "next", Keyrings: []string{keyring}, Stores: []string{site.URL}}
	asked, err := flags.Read(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := asked.HandOn(namespace) // as the hypershift-operator does
	if err != nil {
		t.Fatal(err)
	}
	objects(t, kube, namespace, images.Pullspec)
	serving := func(check func(*server)) {
		t.Helper()
		s := start(t, c, bin, namespace, []string{"--trust-bundle", ca}, []string{overrides(source, mirror), operator.EnvSignatures + "=" + document})
		check(s)
		if err := s.Terminate(t.Context()); err != nil || s.ExitCode() != 0 { // and with it ends what it remembers
			t.Errorf("it ended with %d, %v", s.ExitCode(), err)
		}
	}
	refused := func(because string) {
		t.Helper()
		serving(func(s *server) {
			cluster.Await(t, "the refusal: "+because, func(ctx context.Context) error {
				secret, err := kube.CoreV1().Secrets(namespace).Get(ctx, "token-np-1", metav1.GetOptions{})
				if err != nil {
					return err
				}
				reason, message := string(secret.Data["reason"]), string(secret.Data["message"])
				if reason != "InvalidConfig" || !strings.Contains(message, because) {
					return fmt.Errorf("the token Secret says %s %q", reason, message)
				}
				return nil
			})
			if _, err := payload(t.Context(), s.roots, s.addr); err == nil || !strings.HasPrefix(err.Error(), "511 ") {
				t.Errorf("a payload without a good signature: %v; want status 511", err)
			}
		})
	}
	digest, identity := images.Release.Digest, source.Host()+"/"+machineconfig.ReleaseRepository+":4.17.3"
	refused("signature (verifying the GPG signature: no signature found)")
	store.put(digest, signing.NewGPG(t, "Somebody Else").Sign(t, digest, identity))
	refused("is not among those that are trusted")
	store.put(digest, key.Sign(t, digest, identity))
	serving(func(s *server) {
		cluster.Await(t, "a payload of the signed release", func(ctx context.Context) error {
			body, err := payload(ctx, s.roots, s.addr)
			if err == nil {
				_, err = machineconfig.Decode(body)
			}
			return err
		})
	})
	if n := source.Count(); n != 0 {
		t.Errorf("the source got %d requests", n)
	}
}

// signatureStore serves signatures as Red Hat's site does: sha256=HEX/signature-1.
type signatureStore struct {
	mu    sync.Mutex
	files map[string][]byte // by path
}

// put has signature alone for digest.
func (s *signatureStore) put(digest string, signature []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = map[string][]byte{"/" + strings.Replace(digest, ":", "=", 1) + "/signature-1": signature}
}

func (s *signatureStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(file)
}
