package registry_test

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// quirks are what real registries, networks and pull secrets do. Each is a row of
// docs/registry-quirks.md.
var quirks = map[string]func(*testing.T){
	"unasked-basic":         unaskedBasic,
	"unasked-basic-denied":  unaskedBasicDenied,
	"expired-token-400":     expiredToken,
	"challenge-scope":       challengeScope,
	"placeholder-scope":     placeholderScope,
	"basic-for-token":       basicForToken,
	"ping-challenge":        pingChallenge,
	"hidden-as-404":         hiddenAsNotFound,
	"identity-and-password": identityAndPassword,
	"odd-entry":             oddEntry,
	"slow-cache":            slowCache,
	"dead-address":          deadAddress,
	"roots-elsewhere":       rootsElsewhere,
	"insecure-realm":        insecureRealm,
	"unreadable-certs":      unreadableCerts,
	"no-accept-encoding":    noAcceptEncoding,
	"gzip-on-the-way":       gzipOnTheWay,
	"stored-gzip":           storedGzip,
	"realm-redirect":        realmRedirect,
	"realm-escapes":         realmEscapes,
	"own-redirect":          ownRedirect,
	"cut-blob":              cutBlob,
	"cut-blob-no-ranges":    cutBlobNoRanges,
	"cut-manifest":          cutManifest,
	"web-page":              webPage,
	"network-login":         networkLogin,
	"redirect-nowhere":      redirectNowhere,
	"accept-by-line":        acceptByLine,
	"standard-words":        standardWords,
	"spelled-host":          spelledHost,
	"unquoted-challenge":    unquotedChallenge,
	"expiry-as-text":        expiryAsText,
	"no-platform":           noPlatform,
	"own-page-parameter":    ownPageParameter,
	"other-errors":          otherErrors,
	"useless-authority":     uselessAuthority,
}

var quirkTest = regexp.MustCompile("`TestQuirks/([a-z0-9-]+)`")

// R14: every row of the table has a test, and every test a row.
func TestQuirks(t *testing.T) {
	f, err := os.Open("../../docs/registry-quirks.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := make(map[string]bool)
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| quirk") {
			continue
		}
		names := quirkTest.FindAllStringSubmatch(line, -1)
		if len(names) != 1 || rows[names[0][1]] || strings.Count(line, "|") != 5 {
			t.Errorf("a row does not name one test of its own: %s", line)
			continue
		}
		rows[names[0][1]] = true
	}
	for name := range rows {
		if quirks[name] == nil {
			t.Errorf("there is no test TestQuirks/%s", name)
		}
	}
	for name, run := range quirks {
		if !rows[name] {
			t.Errorf("TestQuirks/%s has no row in the table", name)
		}
		t.Run(name, run)
	}
}

// password is what alice has.
var password = provider.NewCredential("alice", secretPassword)

// quirky starts a registry with alice, and returns a request for what is in it.
func quirky(t *testing.T, cfg testregistry.Config, cred provider.Credential) (*testregistry.Registry, provider.Request) {
	t.Helper()
	if cfg.Auth.Users == nil {
		cfg.Auth.Users = []testregistry.User{alice}
	}
	reg := start(t, cfg)
	return reg, at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), cred)
}

// lookups looks up as often as there are counts, and compares the requests.
func lookups(t *testing.T, reg *testregistry.Registry, p *registry.Provider, req provider.Request, counts ...int) {
	t.Helper()
	for i, want := range counts {
		reg.ResetLog()
		if _, err := p.Lookup(t.Context(), req); err != nil {
			t.Fatalf("lookup %d: %v", i+1, err)
		}
		if n := reg.Count(); n != want {
			t.Errorf("lookup %d: %d requests, want %d: %s", i+1, n, want, paths(reg))
		}
	}
}

func paths(reg *testregistry.Registry) string {
	var all []string
	for _, q := range reg.Requests() {
		all = append(all, fmt.Sprintf("%s %s %d", q.Method, q.Path, q.Status))
	}
	return strings.Join(all, ", ")
}
