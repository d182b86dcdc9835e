package chain_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// pullSecret has one entry, for host.
func pullSecret(t *testing.T, host, user, password string) provider.Credentials {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	c, err := provider.ParseCredentials(fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, host, auth))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func passwords(s testregistry.Scheme, password string) testregistry.Auth {
	return testregistry.Auth{Scheme: s, Users: []testregistry.User{{Name: "bob", Password: password}}}
}

// R9: a rotated pull secret is used from the next lookup on, and what the old one
// paid for is not handed to anybody who cannot pay.
func TestRotatedPullSecret(t *testing.T) {
	for name, scheme := range map[string]testregistry.Scheme{"basic": testregistry.Basic, "bearer": testregistry.Bearer} {
		for kind, pick := range map[string]func(*site) imageref.Ref{
			"digest": func(s *site) imageref.Ref { return s.digest }, "tag": func(s *site) imageref.Ref { return s.tag },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				s := newSite(t, smallRelease(3), func(c *testregistry.Config, r *policy.Rule) {
					c.Auth = passwords(scheme, "one")
					r.NeverContactSource = true
				})
				c := s.chain(t, s.rules)
				asked := func() int { return s.mirror.Count() }
				lookup := func(password string) error {
					t.Helper()
					req := s.request(pick(s))
					req.Credentials = pullSecret(t, s.mirror.Host(), "bob", password)
					r, err := c.Lookup(t.Context(), req)
					if err == nil && (r.Digest() != s.image.Digest || r.Stale()) {
						t.Errorf("got %s, stale: %t", r.Digest(), r.Stale())
					}
					return err
				}

				if err := lookup("one"); err != nil {
					t.Fatal(err)
				}
				before := asked()
				if err := lookup("one"); err != nil || asked() != before {
					t.Errorf("again: %v after %d requests, want none", err, asked()-before)
				}

				s.mirror.SetAuth(passwords(scheme, "two"))
				if err := lookup("two"); err != nil {
					t.Errorf("the new pull secret: %v", err)
				}
				if n := s.mirror.Count(manifests); n < 2 {
					t.Errorf("%d requests for the manifest: the new pull secret was not used", n)
				}
				if n := s.mirror.Count(blobs); n != 1 {
					t.Errorf("the layer was fetched %d times, want once", n)
				}
				for _, wrong := range []string{"three", ""} {
					if err := lookup(wrong); !errors.Is(err, provider.ErrUnauthorized) {
						t.Errorf("password %q: %v, want it refused", wrong, err)
					}
				}

				c = s.chain(t, s.rules) // as after a restart
				if err := lookup("one"); !errors.Is(err, provider.ErrUnauthorized) {
					t.Errorf("the old pull secret: %v, want it refused", err)
				} else if strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("bob:one"))) {
					t.Errorf("%v tells the secret", err)
				}
				if err := lookup("two"); err != nil {
					t.Errorf("the new pull secret after the old one: %v", err)
				}
			})
		}
	}
}

// R9: what is wrong with a pull secret is said, by entry where it is an entry's fault,
// and tells none of it.
func TestMalformedPullSecret(t *testing.T) {
	for text, entry := range map[string]string{
		`{"auths": {"m.example": {"auth": "Ym9iOnMzY3IzdA"}, "n.example": {"auth": "s3cr3t"}}}`: `auths["n.example"]`,
		`{"auths": {"https://m.example/a b": {"auth": "Ym9iOnMzY3IzdA=="}}}`:                    `auths["https://m.example/a b"]`,
		`{"auths": {"m.example": {"auth": "s3cr3t`:                                              "",
		`{"auths": {"m.example": "s3cr3t"}}`:                                                    `auths["m.example"]`,
	} {
		c, err := provider.ParseCredentials([]byte(text))
		said := strings.Join(c.Warnings(), "")
		if err != nil {
			said = err.Error()
		}
		if (err == nil) != (entry != "") || said == "" || !strings.Contains(said, entry) || strings.Contains(said, "s3cr3t") || strings.Contains(said, "Ym9i") {
			t.Errorf("%q (%v), want it to name %s and no secret", said, err, entry)
		}
	}
}
