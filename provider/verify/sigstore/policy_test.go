package sigstore_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

func parsePolicy(t *testing.T, text string) sigstore.ImagePolicy {
	t.Helper()
	var p sigstore.ImagePolicy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func policyText(scopes, policy string) string {
	return fmt.Sprintf(`{"kind":"ClusterImagePolicy","metadata":{"name":"p"},"spec":{"scopes":[%s],"policy":%s}}`, scopes, policy)
}

func TestPolicyIsRead(t *testing.T) {
	key := newECDSA(t)
	encode := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	pub := encode(publicPEM(t, key.Public()))
	ca := encode([]byte(certPEM(newAuthority(t).cert)))
	for _, tt := range []struct{ name, policy, want string }{
		{"key", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `"}}}`, ""},
		{"key and log", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `","rekorKeyData":"` + pub + `"}}}`, ""},
		{"Fulcio", `{"rootOfTrust":{"policyType":"FulcioCAWithRekor","fulcioCAWithRekor":{"fulcioCAData":"` + ca + `","rekorKeyData":"` + pub + `","fulcioSubject":{"oidcIssuer":"https://x","signedEmail":"a@b"}}}}`, ""},
		{"PKI", `{"rootOfTrust":{"policyType":"PKI","pki":{"caRootsData":"` + ca + `","pkiCertificateSubject":{"email":"a@b"}}}}`, ""},
		{"identity", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `"}},"signedIdentity":{"matchPolicy":"RemapIdentity","remapIdentity":{"prefix":"a.io/b","signedPrefix":"c.io/d"}}}`, ""},
		{"nothing", `{}`, "rootOfTrust has 0 of"},
		{"two roots", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `"},"pki":{}}}`, "rootOfTrust has 2 of"},
		{"another type", `{"rootOfTrust":{"policyType":"PKI","publicKey":{"keyData":"` + pub + `"}}}`, "not supported"},
		{"no PEM", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"aGVsbG8="}}}`, "no PEM block"},
		{"a certificate as key", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + ca + `"}}}`, "not a public key"},
		{"PKI without subject", `{"rootOfTrust":{"policyType":"PKI","pki":{"caRootsData":"` + ca + `"}}}`, "needs an email or a hostname"},
		{"unknown match", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `"}},"signedIdentity":{"matchPolicy":"Any"}}`, "not supported"},
		{"match without its field", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"` + pub + `"}},"signedIdentity":{"matchPolicy":"ExactRepository"}}`, "its field is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sigstore.NewPolicies(parsePolicy(t, policyText(`"quay.io/a"`, tt.policy)))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "clusterimagepolicy/p")) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := sigstore.NewPolicies(parsePolicy(t, policyText("", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"`+pub+`"}}}`))); err == nil {
		t.Error("no scope is no error")
	}
}

func TestScopes(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(publicPEM(t, newECDSA(t).Public()))
	scopes := []string{
		"quay.io/a/b", "quay.io/a/b:1", "quay.io/a", "reg.example.com:5000", "*.example.com", "*.org", "x.io/y@" + digest,
	}
	quoted, _ := json.Marshal(scopes)
	one := parsePolicy(t, policyText(strings.Trim(string(quoted), "[]"), `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"`+key+`"}}}`))
	second := parsePolicy(t, policyText(`"quay.io/a"`, `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"`+key+`"}}}`))
	p, err := sigstore.NewPolicies(one, second)
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"quay.io/a/b:1":             "quay.io/a/b:1",
		"quay.io/a/b":               "quay.io/a/b",
		"quay.io/a/b@" + digest:     "quay.io/a/b",
		"quay.io/a/b:1@" + digest:   "quay.io/a/b",
		"quay.io/a/c/d:1":           "quay.io/a",
		"quay.io/ab:1":              "",
		"reg.example.com:5000/x:1":  "reg.example.com:5000",
		"reg.example.com:5001/x:1":  "*.example.com",
		"a.b.example.com/x:1":       "*.example.com",
		"example.com/x:1":           "",
		"deep.er.org:1/x:1":         "*.org",
		"x.io/y@" + digest:          "x.io/y@" + digest,
		"x.io/y:1":                  "",
		"localhost:5000/unscoped:1": "",
	} {
		got, required := p.For(imageref.MustParse(image))
		if got != want || (len(required) > 0) != (want != "") {
			t.Errorf("%s: %q with %d requirements, want %q", image, got, len(required), want)
		}
	}
	if _, r := p.For(imageref.MustParse("quay.io/a/c:1")); len(r) != 2 {
		t.Errorf("%d requirements, want those of both policies", len(r))
	}
	if got := p.Scopes(); len(got) != len(scopes) || !slices.IsSorted(got) {
		t.Errorf("scopes %q", got)
	}
}

func TestOpenShift(t *testing.T) {
	for minor, want := range map[int]int{20: 0, 21: 1, 22: 3, 30: 3} {
		p, ok := sigstore.OpenShift(minor)
		if ok != (want > 0) || len(p.Spec.Scopes) != want {
			t.Errorf("4.%d: %v, %q", minor, ok, p.Spec.Scopes)
		}
		if ok {
			if _, err := sigstore.NewPolicies(p); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(policyText(`"quay.io/a"`, `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"aGVsbG8="}}}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p sigstore.ImagePolicy
		if json.Unmarshal(data, &p) == nil {
			_, _ = sigstore.NewPolicies(p)
		}
	})
}

// What the pods of a namespace meet: the cluster's policies win over the namespace's, for
// their scopes and for what is nested in these.
func TestNamespaces(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(publicPEM(t, newECDSA(t).Public()))
	policy := func(kind, namespace, name string, scopes ...string) sigstore.ImagePolicy {
		p := parsePolicy(t, policyText("", `{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":"`+key+`"}}}`))
		p.Kind, p.Metadata.Namespace, p.Metadata.Name, p.Spec.Scopes = kind, namespace, name, scopes
		return p
	}
	all := []sigstore.ImagePolicy{
		policy("ImagePolicy", "one", "mine", "quay.io/a", "quay.io/a/deep", "quay.io/a:tag", "quay.io", "b.corp", "b.corp:5000/x", "other.org/b.corp:1", "*.sub.corp", "own.io/x"),
		policy("ClusterImagePolicy", "", "all", "quay.io/a", "*.corp"),
		policy("ImagePolicy", "one", "too", "own.io/x"),
		policy("ImagePolicy", "two", "other", "two.io"),
	}
	p, err := sigstore.NewPolicies(all...)
	if err != nil {
		t.Fatal(err)
	}
	var overruled []string
	for _, o := range p.Overruled() {
		overruled = append(overruled, o.Policy+" "+o.Scope+" by "+o.By)
	}
	want := []string{
		"imagepolicy/one/mine quay.io/a by quay.io/a", "imagepolicy/one/mine quay.io/a/deep by quay.io/a", "imagepolicy/one/mine b.corp by *.corp",
		"imagepolicy/one/mine b.corp:5000/x by *.corp", "imagepolicy/one/mine *.sub.corp by *.corp",
	}
	if !slices.Equal(overruled, want) {
		t.Errorf("overruled:\n%s\nwant\n%s", strings.Join(overruled, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range []struct {
		namespace, image, scope string
		requirements            int
	}{
		{"", "quay.io/a:1", "quay.io/a", 1},
		{"", "quay.io/b:1", "", 0},
		{"", "own.io/x:1", "", 0},
		{"one", "quay.io/a:1", "quay.io/a", 1},
		{"one", "quay.io/a/deep:1", "quay.io/a", 1},
		{"one", "quay.io/a:tag", "quay.io/a:tag", 1}, // for the machine-config operator a tag is not in its repository
		{"one", "quay.io/b:1", "quay.io", 1},
		{"one", "b.corp/x:1", "*.corp", 1},
		{"one", "own.io/x:1", "own.io/x", 2},
		{"one", "two.io/x:1", "", 0},
		{"two", "own.io/x:1", "", 0},
		{"two", "two.io/x:1", "two.io", 1},
		{"three", "two.io/x:1", "", 0},
	} {
		in := p
		if c.namespace != "" {
			in = p.In(c.namespace)
		}
		if scope, required := in.For(imageref.MustParse(c.image)); scope != c.scope || len(required) != c.requirements {
			t.Errorf("%s in %q: %q with %d requirements, want %q with %d", c.image, c.namespace, scope, len(required), c.scope, c.requirements)
		}
	}
	slices.Reverse(all)
	second, err := sigstore.NewPolicies(all...)
	if err != nil || second.ID() != p.ID() || p.ID() == "" {
		t.Errorf("the same policies in another order: %q and %q, %v", p.ID(), second.ID(), err)
	}
	ids := map[string]bool{"": true}
	for _, p := range []sigstore.Policies{p, p.In("one"), p.In("two")} {
		if ids[p.ID()] {
			t.Errorf("%q is the ID of two", p.ID())
		}
		ids[p.ID()] = true
	}
	if p.In("three").ID() != p.ID() || (sigstore.Policies{}).ID() != "" {
		t.Error("a namespace without a policy differs from the cluster")
	}
	all[0].Spec.Scopes = append(all[0].Spec.Scopes, "three.io")
	if other, err := sigstore.NewPolicies(all...); err != nil || other.ID() == p.ID() {
		t.Errorf("other policies with the same ID, %v", err)
	}
	if _, err := sigstore.NewPolicies(policy("ImagePolicy", "", "nowhere", "a.io")); err == nil || !strings.Contains(err.Error(), "imagepolicy/nowhere: it has no namespace") {
		t.Errorf("without a namespace: %v", err)
	}
}
