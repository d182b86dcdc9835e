package chain_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The test's own program is the child that is killed, with these for its arguments.
const (
	childDir   = "MIRRORCHAIN_TEST_CHAIN_DIR"
	childImage = "MIRRORCHAIN_TEST_CHAIN_IMAGE"
	childCA    = "MIRRORCHAIN_TEST_CHAIN_CA"
)

// child looks its image up and waits to be killed.
func child(dir string) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(os.Getenv(childCA)))
	disk, err := diskcache.Open(diskcache.Config{Dir: dir})
	if err != nil {
		return err
	}
	p, err := registry.New(registry.Config{RootCAs: pool, Blobs: disk})
	if err != nil {
		return err
	}
	rules, err := policy.NewRules(policy.RulesConfig{})
	if err != nil {
		return err
	}
	c, err := chain.New(p, always(rules),
		verifying(&fakeVerifier{id: "all"}), chain.Cache(chain.CacheConfig{State: disk.State()}), chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{State: disk.State()}))
	if err != nil {
		return err
	}
	if _, err := c.Lookup(context.Background(), provider.Request{Image: imageref.MustParse(os.Getenv(childImage)), Platform: linux}); err != nil {
		return err
	}
	fmt.Println("looked up")
	select {}
}

// R11: killed while it reads and writes; the next start has the right release, or
// none and reads it again.
func TestKilledWhileWriting(t *testing.T) {
	const rounds = 12
	s := newSite(t, smallRelease(3))
	there := 0
	for n := range rounds {
		dir := filepath.Join(t.TempDir(), "cache")
		s.source.ResetLog()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir, childImage+"="+s.tag.String(), childCA+"="+string(s.source.CA().PEM()))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if n%4 == 3 { // when all is written
			_, err = out.Read(make([]byte, 1))
		} else { // when it has asked for the layer, and writes next
			err = s.source.Wait(t.Context(), 1, blobs)
		}
		if err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed

		req := s.request(s.tag)
		s.source.Down()
		r, err := s.process(t, dir, newRules(t), expired).Lookup(t.Context(), req)
		switch {
		case err == nil && r.Stale() && r.Digest() == s.image.Digest && r.Version() == "4.17.3":
			there++
		case !errors.Is(err, provider.ErrUnreachable):
			t.Errorf("round %d: %v, %v", n, r, err)
		}
		if err := s.source.Up(); err != nil {
			t.Fatal(err)
		}
		if r := lookup(t, s.process(t, dir, newRules(t), expired), req); r.Stale() || r.Digest() != s.image.Digest || r.Version() != "4.17.3" {
			t.Errorf("round %d: stale %v, %s %s", n, r.Stale(), r.Version(), r.Digest())
		}
	}
	t.Logf("%d processes killed; the release was there %d times", rounds, there)
	if there < rounds/4 {
		t.Errorf("the release was there %d times of %d; want it at least where all was written", there, rounds)
	}
}
