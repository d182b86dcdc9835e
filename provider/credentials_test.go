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

// secretFor is a pull secret with one entry a key, whose user is the key.
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

func TestCredentialsConflict(t *testing.T) {
	for name, keys := range map[string][2]string{
		"scheme":        {"quay.io", "https://quay.io"},
		"slash":         {"quay.io/a", "quay.io/a/"},
		"Docker's keys": {"docker.io", "https://index.docker.io/v1/"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := provider.NewCredentials(map[string]provider.Credential{
				keys[0]: provider.NewCredential("u", "p"), keys[1]: provider.NewCredential("u", "q"),
			}); err == nil || !strings.Contains(err.Error(), "auths[") {
				t.Errorf("different entries for one registry: %v", err)
			}
			// In a pull secret the one counts that is written as references are.
			c := parsed(t, secretFor(keys[:]...))
			cred, _ := c.For(imageref.MustParse(strings.TrimSuffix(keys[0], "/") + "/a/b:1"))
			if user, _, _ := cred.Basic(); user != keys[0] {
				t.Errorf("the entry %q counts", user)
			}
			if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], fmt.Sprintf("auths[%q]: a second, different entry", keys[1])) {
				t.Errorf("warnings %q", w)
			}
			// The same entry twice is no conflict.
			p := provider.NewCredential("u", "p")
			if _, err := provider.NewCredentials(map[string]provider.Credential{keys[0]: p, keys[1]: p}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A key that could be no registry's would be of no use, and nobody would notice.
func TestCredentialKeys(t *testing.T) {
	p := provider.NewCredential("u", "p")
	for _, good := range []string{
		"quay.io", "quay.io/", "quay.io:443", "quay.io/a/b", "localhost", "localhost:5000", "registry", "my-registry:5000/a",
		"10.0.0.1:5000", "[::1]", "[::1]:5000/a", "https://quay.io", "http://quay.io/v1/", "https://index.docker.io/v1/",
		"https://index.docker.io/v1/access-token", "Registry.example.com", "artifactory.example.com/Team_1/x.y",
	} {
		if _, err := provider.NewCredentials(map[string]provider.Credential{good: p}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "/", "https://", "a b", "quay.io ", " quay.io", "quay.io\n", "quay.io/a b", "quay.io//a", "quay.io:", "quay.io:port", ":5000",
		"*.example.com", "*", "quay.io/a:tag", "ftp://quay.io", "[::1", "::1",
	} {
		_, err := provider.NewCredentials(map[string]provider.Credential{bad: p})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("auths[%q]", bad)) || !strings.Contains(err.Error(), "want REGISTRY") {
			t.Errorf("%q: %v; want an error that names it", bad, err)
		}
	}
	for _, bad := range []string{"alice:hunter2@quay.io", "https://alice:hunter2@quay.io/a", "hunter2@quay.io/a@sha256:0"} {
		_, err := provider.NewCredentials(map[string]provider.Credential{bad: p})
		warnings := fmt.Sprint(parsed(t, []byte(`{"auths":{"`+bad+`":{"auth":"!"}}}`)).Warnings())
		for _, said := range []string{fmt.Sprint(err), warnings} {
			if strings.Contains(said, "hunter2") || !strings.Contains(said, `auths["...@`) {
				t.Errorf("%q: %v; want it named without the password", bad, said)
			}
		}
	}
	// An entry without content is none, whatever its key is.
	if c, err := provider.NewCredentials(map[string]provider.Credential{"a b": {}}); err != nil || !c.IsZero() {
		t.Errorf("a placeholder: %v", err)
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

// An error says where a pull secret is wrong and quotes nothing of it.
func TestMalformedPullSecret(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"not JSON":       {secret, []string{"pull secret", "byte 1"}},
		"cut off":        {`{"auths":{"quay.io":{"auth":"` + secret, []string{"pull secret", "byte"}},
		"a list":         {`["` + secret + `"]`, []string{"pull secret", "auths"}},
		"auths a string": {`{"auths":"` + secret + `"}`, []string{"pull secret", "wrong type"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider.ParseCredentials([]byte(c.in))
			if err == nil {
				t.Fatal("no error")
			}
			if !got.IsZero() {
				t.Error("credentials beside an error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			for _, leak := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))[:6], auth("u", secret)} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("%q quotes the secret", err)
				}
			}
		})
	}
}

// One odd entry concerns its own registry alone: it is left out and named, and nothing
// of it is quoted. What it was to be used for is told why it has no credential.
func TestOddEntries(t *testing.T) {
	const secret = "hunter2"
	good := fmt.Sprintf(`"good.test":{"auth":%q}`, auth("u", secret))
	usable := fmt.Sprintf(`{"auth":%q}`, auth("u", secret))
	for name, c := range map[string]struct {
		entry, warning, unusable string // unusable is a reference, "" for none
	}{
		"no key":             {`"":` + usable, `auths[""]`, ""},
		"a wildcard":         {`"*.host.test":` + usable, `auths["*.host.test"]`, ""},
		"no port":            {`"host.test:":` + usable, `auths["host.test:"]`, ""},
		"a space":            {`"host.test ":` + usable, `auths["host.test "]`, ""},
		"an underscore":      {`"ho_st.test":` + usable, `auths["ho_st.test"]`, ""},
		"a tag":              {`"host.test/a:1":` + usable, `auths["host.test/a:1"]`, ""},
		"a query":            {`"host.test?` + secret + `":` + usable, `auths["host.test..."]`, ""},
		"a user":             {`"u:` + secret + `@host.test":` + usable, `auths["...@host.test"]`, ""},
		"another scheme":     {`"ftp://host.test":` + usable, `auths["ftp://host.test"]`, ""},
		"auth a number":      {`"host.test":{"auth":12}`, `auths["host.test"]: not an object`, "host.test/a"},
		"not an object":      {`"host.test":"` + secret + `"`, `auths["host.test"]: not an object`, "host.test/a"},
		"not base64":         {`"host.test":{"auth":"` + secret + `!"}`, `auths["host.test"]: auth: not base64`, "host.test/a"},
		"no colon":           {`"host.test/org":{"auth":"` + base64.StdEncoding.EncodeToString([]byte(secret)) + `"},"host.test":` + usable, `auths["host.test/org"]: auth: no user name`, "host.test/org/a"},
		"no user":            {`"HTTPS://host.test":{"auth":"` + auth("", secret) + `"}`, `auths["HTTPS://host.test"]: auth: no user name`, "host.test/a"},
		"host and its URL":   {`"host.test":` + usable + `,"https://host.test":{"auth":"` + auth("other", secret) + `"}`, `auths["https://host.test"]: a second`, ""},
		"Docker's own token": {`"https://index.docker.io/v1/":` + usable + `,"https://index.docker.io/v1/access-token":{"auth":"` + auth("token", secret) + `"}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := parsed(t, []byte(`{"auths":{`+c.entry+`,`+good+`}}`))
			if cred, ok := got.For(imageref.MustParse("good.test/a")); !ok || cred != provider.NewCredential("u", secret) {
				t.Error("the good entry is lost")
			}
			said := strings.Join(got.Warnings(), "\n")
			if (said == "") != (c.warning == "") || !strings.Contains(said, c.warning) || strings.Count(said, "\n") != 0 {
				t.Errorf("warnings %q, want %q", said, c.warning)
			}
			for _, leak := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))[:6], auth("u", secret)} {
				if strings.Contains(said, leak) {
					t.Errorf("%q quotes the secret", said)
				}
			}
			if c.unusable == "" {
				return
			}
			ref := imageref.MustParse(c.unusable)
			if _, ok := got.For(ref); ok || got.Unusable(ref) == "" || strings.Contains(got.Unusable(ref), secret) {
				t.Errorf("%s: a credential %v, unusable %q", ref, ok, got.Unusable(ref))
			}
			other := parsed(t, fmt.Appendf(nil, `{"auths":{%q:%s}}`, strings.TrimSuffix(c.unusable, "/a"), usable))
			if _, ok := got.Or(other).For(ref); !ok {
				t.Error("another file's entry does not count in its place")
			}
		})
	}
	if got := parsed(t, []byte(`{"auths":{"host.test":{"auth":"!"}}}`)); !got.IsZero() || got.ID() != "" || len(got.Warnings()) != 1 {
		t.Error("an entry that cannot be used makes the set one with entries")
	}
}

// A URL stands for its host, as for nodes.
func TestCredentialURLs(t *testing.T) {
	for key, image := range map[string]string{
		"https://host.test/any/path": "host.test/a", "HTTPS://host.test": "host.test/a", "http://host.test:5000/v2/": "host.test:5000/x/y",
		"https://index.docker.io/v1/access-token": "alpine",
	} {
		if _, ok := parsed(t, secretFor(key)).For(imageref.MustParse(image)); !ok {
			t.Errorf("%s has no entry for %s", key, image)
		}
	}
	both := parsed(t, secretFor("https://index.docker.io/v1/access-token", "https://index.docker.io/v1/", "https://index.docker.io/v1/refresh-token"))
	cred, _ := both.For(imageref.MustParse("alpine"))
	if user, _, _ := cred.Basic(); user != "https://index.docker.io/v1/" || len(both.Warnings()) != 0 {
		t.Errorf("the entry %q counts, warnings %q", user, both.Warnings())
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

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(`{"auths":{"quay.io":{"auth":"dTpw"},"https://index.docker.io/v1/":{"username":"u","password":"p"}}}`))
	f.Add([]byte(`{"auths":{"a/b/":{"identitytoken":"x"},"a/b":{"registrytoken":"x"}}}`))
	f.Add([]byte(`{"auths":{"":{"auth":"dTpw"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := provider.ParseCredentials(b)
		if err != nil {
			if !c.IsZero() || !strings.HasPrefix(err.Error(), "pull secret: ") {
				t.Errorf("credentials beside an error, or an error out of place: %v", err)
			}
			return
		}
		again, err := provider.ParseCredentials(b)
		if err != nil || again.ID() != c.ID() {
			t.Errorf("read twice: %v", err)
		}
		if (c.ID() == "") != c.IsZero() {
			t.Error("an ID without entries, or the other way round")
		}
	})
}
