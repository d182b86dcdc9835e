package registry_test

import (
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Redirects go anywhere over https, with credentials to the registry's own host alone,
// and not for ever.
func TestRedirects(t *testing.T) {
	store := start(t, testregistry.Config{})
	img := small(t)
	digest := store.Push("store", "", img)
	good := store.URL() + "/v2/store/blobs/" + img.Top().Digest
	for _, tt := range []struct {
		name  string
		match testregistry.Match
		to    string
		class provider.Class // ClassUnknown: it is followed
		says  string
	}{
		{"blob", blobs, good + "?X-Amz-Signature=abc%2Fdef", 0, ""},
		{"manifest", manifests, store.URL() + "/v2/store/manifests/" + digest, 0, ""},
		{"to nothing", blobs, store.URL() + "/v2/store/blobs/sha256:" + strings.Repeat("0", 64), provider.ClassNotFound, "redirected to " + store.Host()},
		{"to plain HTTP", blobs, strings.Replace(good, "https", "http", 1), provider.ClassTLS, "plain HTTP"},
		{"to a file", blobs, "file:///etc/passwd", provider.ClassMalformed, "not an http or https URL"},
		{"to no host", blobs, "https:///x", provider.ClassMalformed, "not an http or https URL"},
		{"to what cannot be parsed", blobs, "https://%zz", provider.ClassMalformed, "not an http or https URL"},
		{"with a password", blobs, strings.Replace(good, "https://", "https://bob:builder@", 1), 0, ""},
		{"in a circle", blobs, "./" + img.Top().Digest, provider.ClassMalformed, "more than 10 redirects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store.ResetLog()
			reg := start(t, testregistry.Config{CA: store.CA(), Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{alice}}})
			ref := reg.ByDigest(repo, reg.Push(repo, "", img))
			reg.Fail(tt.match, testregistry.Redirect(tt.to))
			_, err := open(t, reg).Lookup(t.Context(), at(t, ref, provider.NewCredential("alice", secretPassword)))
			if tt.class == provider.ClassUnknown {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantError(t, err, tt.class, tt.says)
			}
			for _, q := range store.Requests() {
				if q.Authorized() {
					t.Error("credentials went along")
				}
			}
			if tt.name == "in a circle" {
				if n := reg.Count(blobs); n > 11 {
					t.Errorf("%d requests", n)
				}
				for _, q := range reg.Requests(blobs)[1:] {
					if !q.Authorized() {
						t.Error("the registry's own redirect lost the credentials")
					}
				}
			}
		})
	}
	t.Run("the query stays out of errors", func(t *testing.T) {
		reg := start(t, testregistry.Config{CA: store.CA()})
		ref := reg.ByDigest(repo, reg.Push(repo, "", img))
		for _, to := range []string{good + "?sig=verysecretsignature", "https://127.0.0.1:1/x?sig=verysecretsignature"} {
			remove := reg.Fail(blobs, testregistry.Redirect(to))
			undo := store.Fail(testregistry.Match{}, testregistry.Status(403))
			_, err := open(t, reg).Lookup(t.Context(), request(ref))
			remove()
			undo()
			for text := range texts(err) {
				if strings.Contains(text, "verysecret") {
					t.Errorf("%q", text)
				}
			}
			if err == nil {
				t.Error("no error")
			}
		}
	})
}
