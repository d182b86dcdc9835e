package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// slowImages answers after a second, counts what it is asked, and fails where it is told to.
type slowImages struct {
	asked atomic.Int32
	fail  error
}

func (s *slowImages) Image(ctx context.Context, _ provider.Request) (provider.Image, error) {
	s.asked.Add(1)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
		return configOf{architecture: "arm64"}, s.fail
	}
}

// configOf is an image of an architecture.
type configOf struct {
	provider.Image
	architecture string
}

func (c configOf) Config(context.Context) ([]byte, error) {
	return fmt.Appendf(nil, `{"architecture":%q}`, c.architecture), nil
}

// Many who want the architecture of one release at once ask once, if they would ask the
// same with the same pull secret. Who stops waiting stops nobody else.
func TestArchitectureIsAskedOnce(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	req := func(image, password string) provider.Request {
		creds, err := provider.NewCredentials(map[string]provider.Credential{"a.example": provider.NewCredential("u", password)})
		if err != nil {
			t.Fatal(err)
		}
		return provider.Request{Image: imageref.MustParse(image), Credentials: creds}
	}
	synctest.Test(t, func(t *testing.T) {
		images, a := new(slowImages), new(architectures)
		leaving, leave := context.WithCancel(t.Context())
		results := make(chan error, 100)
		ask := func(ctx context.Context, req provider.Request) {
			go func() {
				arch, err := a.read(ctx, images, req, digest)
				if err == nil && arch != hyperv1.ARM64 {
					err = fmt.Errorf("it is %s", arch)
				}
				results <- err
			}()
		}
		same := req("a.example/r:1", "p")
		ask(leaving, same)
		synctest.Wait()
		for range 20 {
			ask(t.Context(), same)
		}
		synctest.Wait()
		if n := images.asked.Load(); n != 1 {
			t.Errorf("it was asked for %d times", n)
		}
		leave() // the one that asks
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		if n := images.asked.Load(); n != 2 {
			t.Errorf("when the first had left it was asked for %d times", n)
		}
		ask(t.Context(), req("a.example/r:1", "another"))
		ask(t.Context(), req("b.example/r:1", "p"))
		synctest.Wait()
		if n := images.asked.Load(); n != 4 {
			t.Errorf("with another pull secret and of another host it was asked for %d times", n)
		}
		for range 22 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if _, err := a.read(t.Context(), images, same, digest); err != nil || images.asked.Load() != 4 {
			t.Errorf("what is known is asked for again: %v", err)
		}
	})
}

// A failure is that of all who wait, and of nobody who comes later.
func TestArchitectureFails(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	synctest.Test(t, func(t *testing.T) {
		images, a := &slowImages{fail: errors.New("no")}, new(architectures)
		req := provider.Request{Image: imageref.MustParse("a.example/r:1")}
		results := make(chan error, 20)
		for range 20 {
			go func() { _, err := a.read(t.Context(), images, req, digest); results <- err }()
		}
		for range 20 {
			if err := <-results; err == nil {
				t.Error("no error")
			}
		}
		if n := images.asked.Load(); n != 1 {
			t.Errorf("it was asked for %d times", n)
		}
		images.fail = nil
		if _, err := a.read(t.Context(), images, req, digest); err != nil || len(a.reading) != 0 {
			t.Errorf("later: %v", err)
		}
	})
}
