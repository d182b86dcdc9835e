package providertest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Digest is that of [Release].
const Digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// Release returns a small fixed release, 4.17.3 with two components and boot images, as
// change wants it. It panics if change leaves no valid release.
func Release(change ...func(*provider.ReleaseData)) *provider.Release {
	const repository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:"
	d := provider.ReleaseData{
		Image:   imageref.MustParse("quay.io/openshift-release-dev/ocp-release@" + Digest),
		Version: "4.17.3",
		Digest:  Digest,
		Created: time.Date(2024, 10, 28, 9, 15, 42, 0, time.UTC),
		Components: []provider.Component{
			{
				Name:        "cli",
				Image:       imageref.MustParse(repository + "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"),
				Annotations: map[string]string{"io.openshift.build.source-location": "https://github.com/openshift/oc"},
			},
			{
				Name:        "machine-config-operator",
				Image:       imageref.MustParse(repository + "fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13"),
				Annotations: map[string]string{"io.openshift.build.source-location": "https://github.com/openshift/machine-config-operator"},
			},
		},
		ComponentVersions: map[string]string{"kubernetes": "1.30.5"},
		BootImages:        []byte("apiVersion: v1\nkind: ConfigMap\n"),
	}
	for _, c := range change {
		c(&d)
	}
	r, err := provider.NewRelease(d)
	if err != nil {
		panic(err)
	}
	return r
}

// Always answers every lookup with r, as the answer to what was asked for. A
// context that has ended is honoured.
func Always(r *provider.Release) provider.ReleaseFunc {
	return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return r.WithAnswer(provider.Answer{Image: req.Image, PulledFrom: req.Image}), nil
	}
}

// Fails answers every lookup with err.
func Fails(err error) provider.ReleaseFunc {
	return func(context.Context, provider.Request) (*provider.Release, error) { return nil, err }
}

// Base makes the base of a chain of a provider that has no capability but Lookup: it
// opens by looking up the whole release, and keeps nothing.
type Base struct{ provider.ReleaseProvider }

var (
	_ provider.Opener   = Base{}
	_ provider.Restorer = Base{}
)

// Open looks up the release.
func (b Base) Open(ctx context.Context, req provider.Request, _ string) (provider.Opened, error) {
	r, err := b.Lookup(ctx, req)
	if err != nil {
		return nil, err
	}
	return opened{r}, nil
}

// Restore returns nothing.
func (b Base) Restore(_ context.Context, req provider.Request, _ string, _ provider.Platform) (*provider.Release, error) {
	return nil, &provider.Error{Op: "restoring the release", Ref: req.Image, Class: provider.ClassNotFound}
}

type opened struct{ release *provider.Release }

func (o opened) Digest() string                                     { return o.release.Digest() }
func (o opened) Platform() provider.Platform                        { return o.release.Platform() }
func (o opened) Named() string                                      { return o.release.Digest() }
func (o opened) IndexPlatforms() []provider.Platform                { return o.release.IndexPlatforms() }
func (o opened) Release(context.Context) (*provider.Release, error) { return o.release, nil }

// Recorder passes lookups on to Next and remembers them. It is safe for
// concurrent use once Next is set.
type Recorder struct {
	Next provider.ReleaseProvider

	mu   sync.Mutex
	reqs []provider.Request
}

// Lookup remembers req and asks Next.
func (r *Recorder) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	r.mu.Lock()
	r.reqs = append(r.reqs, req)
	r.mu.Unlock()
	return r.Next.Lookup(ctx, req)
}

// Requests returns the lookups so far, in order.
func (r *Recorder) Requests() []provider.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reqs)
}
