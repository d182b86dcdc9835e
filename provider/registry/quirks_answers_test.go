package registry_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func unquotedChallenge(t *testing.T) {
	for _, challenge := range []string{
		`Bearer realm="%[1]s/token",service="s",scope=repository:%[2]s:pull`,
		`Bearer realm=%[1]s/token,service=s,scope="repository:%[2]s:pull"`,
		`Bearer realm=%[1]s/token service=s scope=repository:%[2]s:pull`,
	} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
		unknown := testregistry.Match{If: func(q testregistry.Request) bool { return !strings.HasPrefix(q.Header.Get("Authorization"), "Bearer ") }}
		reg.Fail(unknown, testregistry.SetHeader("WWW-Authenticate", fmt.Sprintf(challenge, reg.URL(), repo)))
		lookups(t, reg, open(t, reg), req, 4, 2)
	}
}

func expiryAsText(t *testing.T) {
	for _, expiry := range []string{`"300"`, `"soon"`, `[]`} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
		reg.Fail(testregistry.Match{Kind: testregistry.Token}, testregistry.Replace([]byte(`{"token":"`+secretRegistry+`","expires_in":`+expiry+`}`)))
		lookups(t, reg, open(t, reg), req, 4, 2)
	}
}

// indexOf returns an index with the entries, each a map.
func indexOf(t *testing.T, entries ...map[string]any) testpayload.Image {
	t.Helper()
	body, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": testpayload.OCIIndex, "manifests": entries})
	if err != nil {
		t.Fatal(err)
	}
	return testpayload.Raw(testpayload.OCIIndex, body)
}

func noPlatform(t *testing.T) {
	reg := start(t, testregistry.Config{})
	img, p := small(t), open(t, reg)
	reg.Push(repo, "", img)
	entry := map[string]any{"mediaType": img.MediaType, "digest": img.Digest, "size": len(img.Manifest)}
	attestation := map[string]any{
		"mediaType": img.MediaType, "digest": testpayload.Digest(nil), "size": 1, "platform": map[string]string{"os": "unknown", "architecture": "unknown"},
	}
	other := map[string]any{
		"mediaType": img.MediaType, "digest": testpayload.Digest(nil), "size": 1, "platform": map[string]string{"os": "linux", "architecture": "s390x"},
	}
	for _, index := range []testpayload.Image{indexOf(t, entry), indexOf(t, attestation, other, entry, attestation)} {
		lookups(t, reg, p, request(reg.ByDigest(repo, reg.Push(repo, "", index))), 3)
	}
	_, err := p.Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", indexOf(t, attestation, other)))))
	wantError(t, err, provider.ClassNotFound, "the index has nothing for linux/amd64; there is linux/s390x")
	gone := map[string]any{"mediaType": img.MediaType, "digest": testpayload.Digest(nil), "size": 1}
	_, err = p.Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", indexOf(t, gone)))))
	wantError(t, err, provider.ClassNotFound, "reading the manifest for linux/amd64: ")
}

func ownPageParameter(t *testing.T) {
	got, err := tagsOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("next_page") == "" {
			w.Header().Set("Link", `</v2/team/app/tags/list?next_page=gAAAAABg1i7j%3D&n=50>; rel="next"`)
			fmt.Fprint(w, `{"tags":["a"]}`)
			return
		}
		fmt.Fprint(w, `{"tags":["b"]}`)
	})
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func otherErrors(t *testing.T) {
	for body, says := range map[string]string{
		`{"message":"Your account is suspended"}`:                                     "Your account is suspended",
		`{"title":"Forbidden","detail":"not from this address"}`:                      "Forbidden: not from this address",
		`{"errors":{"code":"DENIED","message":"by a policy"}}`:                        "denied: by a policy",
		`{"errors":[{"code":"UNAUTHORIZED","detail":{},"message":"it is archived"}]}`: "unauthorized: it is archived",
	} {
		for _, status := range []int{401, 403} {
			_, err := tagsOf(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})
			wantError(t, err, provider.ClassUnauthorized, says)
		}
	}
	// What repeats a password is not told.
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"wrong: `+secretPassword+`"}`)
	}))
	t.Cleanup(server.Close)
	p := open(t, nil, func(c *registry.Config) {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(server.Certificate())
	})
	_, err := p.Lookup(t.Context(), at(t, mustParse(t, server.Listener.Addr().String()+"/a/b:c"), password))
	wantError(t, err, provider.ClassUnauthorized, "without a challenge: (the server's message is withheld")
}

func uselessAuthority(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	dir := t.TempDir()
	if err := reg.WriteCertsDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, reg.Host(), "old.crt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lookups(t, reg, open(t, nil, func(c *registry.Config) { c.TLS = registry.CertDirs(dir) }), req, 2)
}
