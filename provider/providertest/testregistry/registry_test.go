package testregistry_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a registry with an image in it and a client that trusts it and
// follows no redirect.
func start(t *testing.T, cfg testregistry.Config) (*testregistry.Registry, *client, testpayload.Image) {
	t.Helper()
	reg, err := testregistry.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{
		testpayload.File("etc/motd", strings.Repeat("hello ", 100)),
	}}}}.Image())
	reg.Push("team/app", "v1", img)
	return reg, newClient(t, reg), img
}

type client struct {
	t    *testing.T
	base string
	http *http.Client
}

func newClient(t *testing.T, reg *testregistry.Registry) *client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: reg.CA().Pool()}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t, reg.URL(), &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type reply struct {
	*http.Response
	body []byte
	err  error // of the request or of reading the body
}

func (c *client) do(method, path string, header ...string) reply {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	return c.doContext(ctx, method, path, header...)
}

func (c *client) doContext(ctx context.Context, method, path string, header ...string) reply {
	c.t.Helper()
	if !strings.Contains(path, "://") {
		path = c.base + path
	}
	req, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, body, err}
}

func (c *client) want(r reply, status int) reply {
	c.t.Helper()
	if r.err != nil {
		c.t.Fatalf("request failed: %v", r.err)
	}
	if r.StatusCode != status {
		c.t.Fatalf("status %d (%s), want %d", r.StatusCode, r.body, status)
	}
	return r
}

func TestServes(t *testing.T) {
	configs := map[string]testregistry.Config{
		"TLS":       {},
		"HTTP/1.1":  {NoHTTP2: true},
		"plain":     {PlainHTTP: true},
		"localhost": {Host: "localhost"},
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // not every container has IPv6
		_ = l.Close()
		configs["::1"] = testregistry.Config{Host: "::1"}
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			reg, c, img := start(t, cfg)
			r := c.want(c.do("GET", "/v2/team/app/manifests/v1"), 200)
			if !bytes.Equal(r.body, img.Manifest) || r.Header.Get("Docker-Content-Digest") != img.Digest || r.Header.Get("Content-Type") != img.MediaType {
				t.Errorf("manifest differs: %v %s", r.Header, r.body)
			}
			c.want(c.do("GET", "/v2/team/app/manifests/"+img.Digest), 200)
			r = c.want(c.do("HEAD", "/v2/team/app/manifests/v1"), 200)
			if r.ContentLength != int64(len(img.Manifest)) || len(r.body) != 0 {
				t.Errorf("HEAD: length %d, body %q", r.ContentLength, r.body)
			}
			r = c.want(c.do("GET", "/v2/team/app/blobs/"+img.Top().Digest), 200)
			if testpayload.Digest(r.body) != img.Top().Digest {
				t.Error("blob differs")
			}
			c.want(c.do("GET", "/v2/"), 200)
			if r := c.want(c.do("GET", "/v2/team/app/tags/list"), 200); !strings.Contains(string(r.body), `"v1"`) {
				t.Errorf("tags: %s", r.body)
			}
			if got := reg.Bytes(testregistry.Match{Kind: testregistry.Blob}); got != img.Top().Size {
				t.Errorf("%d bytes of blobs logged, want %d", got, img.Top().Size)
			}
			if s := reg.Main().Stats(); s.Connections != 1 || s.Handshakes != map[bool]int64{false: 1, true: 0}[cfg.PlainHTTP] {
				t.Errorf("stats %+v, want one connection", s)
			}
			if n := reg.Count(testregistry.Match{Kind: testregistry.Manifest, Method: "GET"}); n != 2 {
				t.Errorf("%d manifests logged, want 2", n)
			}
			q := reg.Requests()[0]
			if q.Repository != "team/app" || q.Reference != "v1" || q.Status != 200 || !q.Done || q.Authorized() {
				t.Errorf("logged %+v", q)
			}
			if http2 := !cfg.NoHTTP2 && !cfg.PlainHTTP; (q.Proto == "HTTP/2.0") != http2 {
				t.Errorf("spoke %s", q.Proto)
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	reg, c, img := start(t, testregistry.Config{})
	for path, code := range map[string]string{
		"/v2/team/app/manifests/v2":                   "MANIFEST_UNKNOWN",
		"/v2/team/other/manifests/v1":                 "MANIFEST_UNKNOWN",
		"/v2/team/other/blobs/" + img.Config().Digest: "BLOB_UNKNOWN",
		"/v2/team/other/tags/list":                    "NAME_UNKNOWN",
		"/else":                                       "NOT_FOUND",
	} {
		r := c.want(c.do("GET", path), 404)
		var e struct{ Errors []struct{ Code string } }
		if err := json.Unmarshal(r.body, &e); err != nil || len(e.Errors) != 1 || e.Errors[0].Code != code {
			t.Errorf("%s: %s, want code %s", path, r.body, code)
		}
	}
	reg.Remove("team/app", img.Top().Digest)
	c.want(c.do("GET", "/v2/team/app/blobs/"+img.Top().Digest), 404)
	c.want(c.do("PUT", "/v2/team/app/manifests/v1"), 405)
}

func TestConditionsAndRanges(t *testing.T) {
	_, c, img := start(t, testregistry.Config{})
	c.want(c.do("GET", "/v2/team/app/manifests/v1", "If-None-Match", `"`+img.Digest+`"`), 304)
	c.want(c.do("GET", "/v2/team/app/manifests/v1", "If-None-Match", `"sha256:other"`), 200)
	c.want(c.do("GET", "/v2/team/app/manifests/v1", "Accept", testpayload.DockerManifest), 404)
	c.want(c.do("GET", "/v2/team/app/manifests/v1", "Accept", testpayload.DockerManifest+", "+testpayload.OCIManifest+";q=0.5"), 200)

	whole := img.Top().Bytes()
	r := c.want(c.do("GET", "/v2/team/app/blobs/"+img.Top().Digest, "Range", "bytes=5-9"), 206)
	if !bytes.Equal(r.body, whole[5:10]) {
		t.Errorf("range: %d bytes", len(r.body))
	}
	r = c.want(c.do("GET", "/v2/team/app/blobs/"+img.Top().Digest, "Range", "bytes=20-"), 206)
	if !bytes.Equal(r.body, whole[20:]) {
		t.Errorf("open range: %d bytes, want %d", len(r.body), len(whole)-20)
	}
	c.want(c.do("GET", "/v2/team/app/blobs/"+img.Top().Digest, "Range", "bytes=100000-"), 416)
}

func TestBasic(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{Auth: testregistry.Auth{
		Scheme:    testregistry.Basic,
		Users:     []testregistry.User{{Name: "u", Password: "p", Repositories: []string{"team"}}, {Name: "v", Password: "p", Repositories: []string{"tea"}}},
		Anonymous: []string{"public"},
	}})
	const path = "/v2/team/app/manifests/v1"
	r := c.want(c.do("GET", path), 401)
	if !strings.HasPrefix(r.Header.Get("Www-Authenticate"), "Basic ") {
		t.Errorf("challenge %q", r.Header.Get("Www-Authenticate"))
	}
	c.want(c.do("GET", path, "Authorization", basic("u", "p")), 200)
	c.want(c.do("GET", path, "Authorization", basic("u", "wrong")), 401)
	c.want(c.do("GET", path, "Authorization", basic("v", "p")), 403)
	c.want(c.do("GET", "/v2/public/x/manifests/v1"), 404)
	if q := reg.Requests()[1]; !q.Authorized() || q.Header.Get("Authorization") != basic("u", "p") {
		t.Errorf("logged %v", q.Header)
	}
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestBearer(t *testing.T) {
	for name, elsewhere := range map[string]bool{"same host": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			reg, c, _ := start(t, testregistry.Config{Auth: testregistry.Auth{
				Scheme:         testregistry.Bearer,
				Users:          []testregistry.User{{Name: "u", Password: "p", IdentityToken: "refresh", RegistryToken: "as-is", Repositories: []string{"team/app"}}},
				TokenElsewhere: elsewhere,
			}})
			const path = "/v2/team/app/manifests/v1"
			challenge := c.want(c.do("GET", path), 401).Header.Get("Www-Authenticate")
			want := `Bearer realm="` + reg.Token().URL() + `/token",service="testregistry",scope="repository:team/app:pull"`
			if challenge != want {
				t.Fatalf("challenge %s, want %s", challenge, want)
			}
			if elsewhere == (reg.Token().Addr() == reg.Host()) {
				t.Error("the token endpoint is at the wrong place")
			}
			token := func(r reply) string {
				t.Helper()
				var body struct {
					Token  string `json:"access_token"`
					Expire int    `json:"expires_in"`
				}
				if err := json.Unmarshal(c.want(r, 200).body, &body); err != nil || body.Expire != 300 {
					t.Fatalf("token: %s", r.body)
				}
				return "Bearer " + body.Token
			}
			realm := reg.Token().URL() + "/token?service=testregistry&scope="
			good := token(c.do("GET", realm+"repository:team/app:pull", "Authorization", basic("u", "p")))
			c.want(c.do("GET", path, "Authorization", good), 200)

			// No token without the right password, and no access without scope.
			c.want(c.do("GET", realm+"repository:team/app:pull", "Authorization", basic("u", "x")), 401)
			anonymous := token(c.do("GET", realm+"repository:team/app:pull"))
			if r := c.want(c.do("GET", path, "Authorization", anonymous), 401); !strings.Contains(r.Header.Get("Www-Authenticate"), "insufficient_scope") {
				t.Errorf("challenge %s", r.Header.Get("Www-Authenticate"))
			}
			c.want(c.do("GET", "/v2/", "Authorization", good), 200)
			c.want(c.do("GET", "/v2/other/manifests/v1", "Authorization", good), 401)

			// Tokens end.
			reg.ExpireTokens()
			if r := c.want(c.do("GET", path, "Authorization", good), 401); !strings.Contains(r.Header.Get("Www-Authenticate"), "invalid_token") {
				t.Errorf("challenge %s", r.Header.Get("Www-Authenticate"))
			}

			post := func(form url.Values) reply {
				resp, err := c.http.PostForm(reg.Token().URL()+"/token", form)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				return reply{resp, b, err}
			}
			scope := []string{"repository:team/app:pull"}
			good = token(post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"refresh"}, "scope": scope}))
			c.want(c.do("GET", path, "Authorization", good), 200)
			c.want(post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"wrong"}, "scope": scope}), 400)
			good = token(post(url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": scope}))
			c.want(c.do("GET", path, "Authorization", good), 200)

			c.want(c.do("GET", path, "Authorization", "Bearer as-is"), 200)
			if n := reg.Count(testregistry.Match{Kind: testregistry.Token}); n != 6 {
				t.Errorf("%d token requests logged, want 6", n)
			}
		})
	}
}

func TestRedirectedBlobs(t *testing.T) {
	reg, c, img := start(t, testregistry.Config{RedirectBlobs: true})
	path := "/v2/team/app/blobs/" + img.Top().Digest
	location := c.want(c.do("GET", path), 307).Header.Get("Location")
	if !strings.HasPrefix(location, reg.Storage().URL()) {
		t.Fatalf("redirected to %s", location)
	}
	if r := c.want(c.do("GET", location), 200); testpayload.Digest(r.body) != img.Top().Digest {
		t.Error("blob differs")
	}
	c.want(c.do("GET", location, "Authorization", basic("u", "p")), 400)
	c.want(c.do("GET", location[:strings.IndexByte(location, '?')]), 403)
	if qs := reg.Requests(testregistry.Match{Kind: testregistry.Storage, Reference: img.Top().Digest}); len(qs) != 3 {
		t.Errorf("%d requests logged, want 3: %+v", len(qs), qs)
	}
}

func TestClientCertificate(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{RequireClientCertificate: true})
	if r := c.do("GET", "/v2/"); r.err == nil {
		t.Error("let in without a certificate")
	}
	cert, key, err := reg.CA().ClientCertificate("somebody")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
	c.want(c.do("GET", "/v2/"), 200)
	if qs := reg.Requests(); qs[len(qs)-1].ClientCertificate != "somebody" {
		t.Errorf("logged %+v", qs)
	}
}

func TestCertificates(t *testing.T) {
	reg, c, _ := start(t, testregistry.Config{})
	c.want(c.do("GET", "/v2/"), 200)
	for kind, is := range map[testregistry.CertificateKind]func(error) bool{
		testregistry.UnknownAuthority: func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok },
		testregistry.Expired: func(err error) bool {
			e, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && e.Reason == x509.Expired
		},
		testregistry.WrongName: func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok },
	} {
		reg.Main().SetCertificate(kind)
		if r := c.do("GET", "/v2/"); !is(r.err) {
			t.Errorf("certificate %d: %v", kind, r.err)
		}
	}
	reg.Main().SetCertificate(testregistry.ValidCertificate)
	c.want(c.do("GET", "/v2/"), 200)
}
