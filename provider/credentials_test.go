package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const digestA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func auth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// secretFor returns a pull secret with one entry a key, whose user is the key.
func secretFor(keys ...string) []byte {
	auths := make(map[string]any)
	for _, k := range keys {
		auths[k] = map[string]string{"username": k, "password": "p"}
	}
	b, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		panic(err)
	}
	return b
}

func TestCredentialsFor(t *testing.T) {
	for name, c := range map[string]struct {
		keys  []string
		image string
		want  string // the key of the entry, "" for none
	}{
		"registry":                        {[]string{"quay.io"}, "quay.io/a/b:1", "quay.io"},
		"longest path":                    {[]string{"quay.io", "quay.io/a", "quay.io/a/b"}, "quay.io/a/b/c:1", "quay.io/a/b"},
		"whole repository":                {[]string{"quay.io/a", "quay.io/a/b"}, "quay.io/a/b@" + digestA, "quay.io/a/b"},
		"path without a boundary":         {[]string{"quay.io/openshift"}, "quay.io/openshift-release-dev/ocp-release:1", ""},
		"path without a boundary, longer": {[]string{"quay.io/a/bc"}, "quay.io/a/b:1", ""},
		"host without a boundary":         {[]string{"quay.io"}, "quay.io.example.com/a:1", ""},
		"host as a suffix":                {[]string{"quay.io"}, "my.quay.io/a:1", ""},
		"host as a path":                  {[]string{"quay.io"}, "example.com/quay.io/a:1", ""},
		"port is part of the host":        {[]string{"example.com"}, "example.com:5000/a:1", ""},
		"host is not its port":            {[]string{"example.com:5000"}, "example.com/a:1", ""},
		"host with port":                  {[]string{"example.com", "example.com:5000"}, "example.com:5000/a:1", "example.com:5000"},
		"IPv6":                            {[]string{"[::1]:5000"}, "[::1]:5000/a:1", "[::1]:5000"},
		"nothing else fits":               {[]string{"other.example.com"}, "quay.io/a:1", ""},
		"scheme":                          {[]string{"https://quay.io"}, "quay.io/a:1", "https://quay.io"},
		"scheme and slash":                {[]string{"http://quay.io/"}, "quay.io/a:1", "http://quay.io/"},
		"scheme and v2":                   {[]string{"https://quay.io/v2/"}, "quay.io/a:1", "https://quay.io/v2/"},
		"a repository named v2":           {[]string{"quay.io/v2"}, "quay.io/v2/a:1", "quay.io/v2"},
		"Docker's own key":                {[]string{"https://index.docker.io/v1/"}, "alpine", "https://index.docker.io/v1/"},
		"docker.io":                       {[]string{"docker.io"}, "library/alpine", "docker.io"},
		"index.docker.io":                 {[]string{"index.docker.io"}, "docker.io/a/b:1", "index.docker.io"},
		"registry-1.docker.io":            {[]string{"registry-1.docker.io"}, "a/b", "registry-1.docker.io"},
		"docker.io namespace":             {[]string{"docker.io/a", "docker.io"}, "a/b", "docker.io/a"},
	} {
		t.Run(name, func(t *testing.T) {
			creds, err := provider.ParseCredentials(secretFor(c.keys...))
			if err != nil {
				t.Fatal(err)
			}
			cred, ok := creds.For(imageref.MustParse(c.image))
			user, password, _ := cred.Basic()
			if user != c.want || ok != (c.want != "") || ok && password != "p" {
				t.Errorf("entry %q, %t; want %q", user, ok, c.want)
			}
		})
	}
}

func TestCredentialsZero(t *testing.T) {
	for _, s := range []string{`{}`, `{"auths":{}}`, `null`, `{"auths":{"quay.io":{}},"credHelpers":{"quay.io":"x"}}`} {
		c, err := provider.ParseCredentials([]byte(s))
		if err != nil || !c.IsZero() || c.ID() != "" {
			t.Errorf("%s: %v, zero %t, ID %q", s, err, c.IsZero(), c.ID())
		}
		if _, ok := c.For(imageref.MustParse("quay.io/a")); ok {
			t.Errorf("%s has an entry", s)
		}
	}
	if _, ok := parsed(t, secretFor("quay.io")).For(imageref.Ref{}); ok {
		t.Error("an entry for the zero reference")
	}
	var zero provider.Credential
	if _, _, ok := zero.Basic(); ok || !zero.IsZero() || zero.ID() != "" || zero.IdentityToken() != "" || zero.RegistryToken() != "" {
		t.Error("the zero credential holds something")
	}
	if provider.NewCredential("", "") != zero || provider.NewIdentityToken("") != zero || provider.NewRegistryToken("") != zero {
		t.Error("a credential of nothing is not the zero credential")
	}
}

func parsed(t *testing.T, dockerConfigJSON []byte) provider.Credentials {
	t.Helper()
	c, err := provider.ParseCredentials(dockerConfigJSON)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentialForms(t *testing.T) {
	c := parsed(t, fmt.Appendf(nil, `{"auths":{
		"a.example.com":{"username":"u","password":"p:q"},
		"b.example.com":{"auth":%q},
		"c.example.com":{"auth":%q,"identitytoken":"refresh"},
		"d.example.com":{"registrytoken":"bearer"},
		"e.example.com":{"auth":%q,"username":"other","password":"other"}}}`,
		auth("u", "p:q"), base64.RawStdEncoding.EncodeToString([]byte("<token>:")), auth("u", "p")))
	entry := func(host string) provider.Credential {
		cred, ok := c.For(imageref.MustParse(host + "/x"))
		if !ok {
			t.Fatalf("no entry for %s", host)
		}
		return cred
	}
	if entry("a.example.com") != provider.NewCredential("u", "p:q") || entry("a.example.com") != entry("b.example.com") {
		t.Error("username and password, and auth, differ")
	}
	if cc := entry("c.example.com"); cc.IdentityToken() != "refresh" {
		t.Error("the identity token is lost")
	}
	if entry("d.example.com") != provider.NewRegistryToken("bearer") || entry("d.example.com").RegistryToken() != "bearer" {
		t.Error("the registry token is lost")
	}
	if entry("e.example.com") != provider.NewCredential("u", "p") {
		t.Error("auth does not win over username and password")
	}
}

// Rotating one entry changes the set's ID, and the ID of that entry alone.
func TestCredentialIDs(t *testing.T) {
	set := func(a, b provider.Credential) provider.Credentials {
		c, err := provider.NewCredentials(map[string]provider.Credential{"a.example.com": a, "b.example.com": b})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	p, q := provider.NewCredential("u", "p"), provider.NewCredential("u", "q")
	one, same, rotated, swapped := set(p, q), set(p, q), set(p, p), set(q, p)
	if one.ID() != same.ID() {
		t.Error("the same set has two IDs")
	}
	if one.ID() == rotated.ID() || one.ID() == swapped.ID() {
		t.Error("two sets share an ID")
	}
	ids := make(map[string]provider.Credential)
	for _, c := range []provider.Credential{
		p, q, provider.NewCredential("up", ""), provider.NewCredential("p", "u"),
		provider.NewIdentityToken("u"), provider.NewRegistryToken("u"), provider.NewCredential("u", ""),
	} {
		if other, ok := ids[c.ID()]; ok && other != c {
			t.Error("two credentials share an ID")
		}
		ids[c.ID()] = c
	}
	if len(ids) != 7 {
		t.Errorf("%d IDs for 7 credentials", len(ids))
	}
}

func TestCredentialsOr(t *testing.T) {
	file := parsed(t, secretFor("quay.io", "docker.io"))
	flag, err := provider.NewCredentials(map[string]provider.Credential{"quay.io": provider.NewCredential("flag", "p")})
	if err != nil {
		t.Fatal(err)
	}
	both := flag.Or(file)
	if c, _ := both.For(imageref.MustParse("quay.io/a")); c != provider.NewCredential("flag", "p") {
		t.Error("the receiver's entry does not win")
	}
	if _, ok := both.For(imageref.MustParse("alpine")); !ok {
		t.Error("the other's entry is lost")
	}
	if _, ok := flag.For(imageref.MustParse("alpine")); ok {
		t.Error("the receiver changed")
	}
	var zero provider.Credentials
	if zero.Or(file).ID() != file.ID() || file.Or(zero).ID() != file.ID() {
		t.Error("none changes a set")
	}
}

// However credentials are printed, nothing of them is.
func TestRedacted(t *testing.T) {
	const user, password, identity, bearer = "the-user", "hunter2", "refresh-me", "bear-with-me"
	secrets := []string{user, password, identity, bearer, auth(user, password)}
	all, err := provider.NewCredentials(map[string]provider.Credential{
		"a.example.com": provider.NewCredential(user, password),
		"b.example.com": provider.NewIdentityToken(identity),
		"c.example.com": provider.NewRegistryToken(bearer),
	})
	if err != nil {
		t.Fatal(err)
	}
	one := provider.NewCredential(user, password)
	values := map[string]any{
		"credential":  one,
		"pointer":     &one,
		"identity":    provider.NewIdentityToken(identity),
		"registry":    provider.NewRegistryToken(bearer),
		"credentials": all,
		"request":     provider.Request{Image: imageref.MustParse("quay.io/a"), Credentials: all},
		"slice":       []provider.Credential{one},
		"map":         map[string]provider.Credential{"x": one},
		"exported":    struct{ C provider.Credential }{one},
		"unexported": struct {
			c   provider.Credential
			all provider.Credentials
		}{one, all},
		"pointer to unexported": &struct{ c provider.Credential }{one},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for _, s := range secrets {
				if strings.Contains(fmt.Sprintf("%#v", fmt.Sprint(v)), s) {
					t.Errorf("Sprint shows %q", s)
				}
			}
			check := func(how, out string) {
				t.Helper()
				for _, s := range secrets {
					if strings.Contains(out, s) || strings.Contains(out, fmt.Sprintf("%x", s)) {
						t.Errorf("%s shows %q: %s", how, s, out)
					}
				}
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "% x", "%c"} {
				check(verb, fmt.Sprintf(verb, v))
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			check("json", string(b))

			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			check("slog", out.String())

			out.Reset()
			for _, enc := range []zapcore.Encoder{
				zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "m"}),
				zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "m"}),
			} {
				log := zap.New(zapcore.NewCore(enc, zapcore.AddSync(&out), zapcore.DebugLevel))
				log.Info("x", zap.Any("v", v), zap.Reflect("r", v))
				log.Sugar().Infof("%v %+v", v, v)
				log.Sugar().Infow("x", "v", v)
			}
			check("zap", out.String())
			core, logs := observer.New(zapcore.DebugLevel)
			zap.New(core).Info("x", zap.Any("v", v))
			check("zap's fields", fmt.Sprintf("%+v", logs.All()))
		})
	}
	if s := fmt.Sprintf("%v %#v %s", one, all, all); s != "REDACTED REDACTED REDACTED" {
		t.Errorf("printed as %s", s)
	}
}
