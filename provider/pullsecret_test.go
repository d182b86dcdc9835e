package provider_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

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
		"UTF-16":         {"\xff\xfe{\x00}\x00", []string{"it is UTF-16: save it as UTF-8"}},
		"YAML":           {"apiVersion: v1\nkind: Secret\nstringData:\n  password: " + secret, []string{"it is YAML", ".dockerconfigjson"}},
		"base64":         {base64.StdEncoding.EncodeToString([]byte(`{"auths":{"quay.io":{"auth":"`+secret+`"}}}`)) + "\n", []string{"decode it"}},
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

// What has no "auths" at all holds no credentials, and a text says what it is instead.
func TestNoAuths(t *testing.T) {
	const secret = "hunter2"
	for in, want := range map[string]string{
		`{"quay.io":{"auth":"` + auth("u", secret) + `"}}`:                                       "old .dockercfg",
		`{"https://index.docker.io/v1/":{"username":"u","password":"` + secret + `"}}`:           "old .dockercfg",
		`{"apiVersion":"v1","kind":"Secret","stringData":{"password":"` + secret + `"}}`:         "object of Kubernetes",
		`{"HttpHeaders":{"User-Agent":"x"},"credHelpers":{"quay.io":"x"},"credsStore":"y"}`:      "",
		`{"auths":{},"quay.io":{"auth":"` + auth("u", secret) + `"}}`:                            "",
		"\xef\xbb\xbf" + `{"auths":{"quay.io":{"auth":"` + auth("u", secret) + `"}}}`:            "",
		`{"proxies":{"default":{"httpProxy":"http://u:` + secret + `@proxy.example.com:3128"}}}`: "",
	} {
		c, err := provider.ParseCredentials([]byte(in))
		got := strings.Join(c.Warnings(), "; ")
		if err != nil || (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, secret) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
		if strings.HasPrefix(in, "\xef") == c.IsZero() {
			t.Errorf("%s: credentials %t", in, !c.IsZero())
		}
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
		second, err := provider.ParseCredentials(b)
		if err != nil || second.ID() != c.ID() {
			t.Errorf("read twice: %v", err)
		}
		if (c.ID() == "") != c.IsZero() {
			t.Error("an ID without entries, or the other way round")
		}
	})
}
