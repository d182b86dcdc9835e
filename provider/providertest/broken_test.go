package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// A broken provider and the part of the suite that must notice.
var broken = map[string]struct {
	part string
	wrap func(provider.ReleaseProvider) provider.ReleaseFunc
}{
	"ignores the context": {"Cancel", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			return next.Lookup(context.WithoutCancel(ctx), req)
		}
	}},
	"remembers without credentials": {"Unauthorized", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		var known sync.Map
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			if r, ok := known.Load(req.Image); ok {
				return r.(*provider.Release), nil
			}
			r, err := next.Lookup(ctx, req)
			if err == nil {
				known.Store(req.Image, r)
			}
			return r, err
		}
	}},
	"remembers without platform": {"Platform", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		var known sync.Map
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			if r, ok := known.Load(req.Image); ok {
				return r.(*provider.Release), nil
			}
			r, err := next.Lookup(ctx, req)
			if err == nil {
				known.Store(req.Image, r)
			}
			return r, err
		}
	}},
	"hides what went wrong": {"NotFound", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if err != nil {
				err = errors.New(err.Error())
			}
			return r, err
		}
	}},
	"tells the password": {"Unauthorized", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if cred, ok := req.Credentials.For(req.Image); ok && err != nil {
				_, password, _ := cred.Basic()
				err = fmt.Errorf("%w, with %s", err, password)
			}
			return r, err
		}
	}},
	"answers for another image": {"Reads", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if err == nil {
				r = r.WithAnswer(provider.Answer{Image: imageref.MustParse("example.com/other"), PulledFrom: r.PulledFrom()})
			}
			return r, err
		}
	}},
	"forgets where it came from": {"Reads", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if err == nil {
				r = r.WithAnswer(provider.Answer{Image: req.Image})
			}
			return r, err
		}
	}},
	"believes anything": {"Tampered", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if errors.Is(err, provider.ErrDigest) {
				return providertest.Always(providertest.Release())(ctx, req)
			}
			return r, err
		}
	}},
	"mixes up concurrent lookups": {"Concurrent", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		var (
			mu   sync.Mutex
			last provider.Request
		)
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			mu.Lock()
			if last.Image.IsZero() || last.Image.Tag() != "" {
				last = req
			}
			asked := last
			mu.Unlock()
			return next.Lookup(ctx, asked)
		}
	}},
	"leaves a goroutine": {"Reads", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			go func() { select {} }()
			return next.Lookup(ctx, req)
		}
	}},
	"returns nothing": {"NotFound", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if errors.Is(err, provider.ErrNotFound) {
				err = nil
			}
			return r, err
		}
	}},
	"calls mistakes an outage": {"Invalid", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if errors.Is(err, provider.ErrInvalidRequest) {
				err = &provider.Error{Class: provider.ClassUnreachable, Err: errors.New(err.Error())}
			}
			return r, err
		}
	}},
	"calls everything unknown": {"Errors", func(next provider.ReleaseProvider) provider.ReleaseFunc {
		return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
			r, err := next.Lookup(ctx, req)
			if err != nil {
				err = &provider.Error{Ref: req.Image, Class: provider.ClassUnreachable, Err: errors.New("x")}
			}
			return r, err
		}
	}},
}

const brokenVariable = "PROVIDERTEST_BROKEN"

// The suite is run on each broken provider in a process of its own, and must
// fail in the part that is about what is broken.
func TestSuiteNotices(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenProvider$/^"+b.part+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), brokenVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), "--- FAIL: TestBrokenProvider/"+b.part) {
				t.Errorf("the suite noticed nothing (%v):\n%s", err, out)
			}
		})
	}
}

// TestBrokenProvider is what TestSuiteNotices starts.
func TestBrokenProvider(t *testing.T) {
	b, ok := broken[os.Getenv(brokenVariable)]
	if !ok {
		return // not started by TestSuiteNotices
	}
	providertest.TestReleaseProvider(t, providertest.Harness{New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		return b.wrap(open(t, reg, func(c *registry.Config) { // ends by itself what its caller cannot end
			c.Timeouts.FirstByte, c.Timeouts.Silence = 200*time.Millisecond, 200*time.Millisecond
		}))
	}})
}
