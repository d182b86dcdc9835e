package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
)

func newEndpoints(t *testing.T, f func(string) (TLS, error)) *endpoints {
	t.Helper()
	cfg, err := Config{TLS: f}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &endpoints{cfg: cfg, background: auth.NewBackground(), all: make(map[endpointKey]*endpoint)}
}

// What to trust is asked for again after a while; connections stay while the
// answer does, and the last good answer stays in force while there is none.
func TestEndpointRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer TLS
		var failure error
		asked := 0
		es := newEndpoints(t, func(string) (TLS, error) { asked++; return answer, failure })
		get := func() *endpoint {
			t.Helper()
			e, err := es.get("registry.test", false, false)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		first := get()
		if get() != first || asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		<-time.After(tlsAge)
		if get() != first || asked != 2 {
			t.Errorf("the same answer made other connections, asked %d times", asked)
		}
		<-time.After(tlsAge)
		failure = errors.New("half-written")
		if get() != first || asked != 3 {
			t.Errorf("a failure put out what was in force, asked %d times", asked)
		}
		<-time.After(tlsAge)
		answer, failure = TLS{RootCAs: x509.NewCertPool()}, nil
		second := get()
		if second == first || asked != 4 {
			t.Errorf("a new answer changed nothing, asked %d times", asked)
		}
		<-time.After(tlsAge)
		answer = TLS{RootCAs: x509.NewCertPool()} // equal, not identical
		if get() != second {
			t.Error("an equal answer made other connections")
		}
		if insecure, err := es.get("registry.test", true, false); err != nil || insecure == second || insecure.auth == second.auth {
			t.Error("secure and insecure share something")
		}
	})
}

// The memory of hosts is bounded; the least recently used goes.
func TestEndpointsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es := newEndpoints(t, nil)
		for i := range maxEndpoints + 10 {
			for _, name := range []string{"always.test", fmt.Sprintf("r%d.test", i)} {
				<-time.After(time.Millisecond)
				if _, err := es.get(name, false, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(es.all) > maxEndpoints {
			t.Errorf("%d hosts are remembered", len(es.all))
		}
		if es.all[endpointKey{registry: "always.test"}] == nil {
			t.Error("the one in constant use went")
		}
	})
}
