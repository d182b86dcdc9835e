package hostedcluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// errPayloadArch says that the release is there and its architecture is not known.
var errPayloadArch = errors.New("failed to determine the payload's architecture")

// architectures remembers those of releases by the digest of their manifest or index, which
// says all there is to say. Its zero value is ready, and safe for
// concurrent use.
type architectures struct {
	mu      sync.Mutex // held over no request
	known   map[string]hyperv1.PayloadArchType
	reading map[readingKey]*reading
}

// readingKey says who would ask whom for an architecture. Only who would ask the same
// shares an answer: one tenant's registry must not keep another one waiting, nor one
// tenant's pull secret fail another one's lookup.
type readingKey struct {
	images      provider.ImageProvider // of one chain
	image       imageref.Ref           // by digest
	credentials string                 // their ID
	rules       *policy.Rules          // of the request
}

// reading is one request for an architecture.
type reading struct {
	done      chan struct{}
	arch      hyperv1.PayloadArchType // with err once done is closed
	err       error
	abandoned bool // the asker ended before there was an answer
}

// maxArchitectures bounds what is remembered, by far more than a fleet has releases.
const maxArchitectures = 1000

func (a *architectures) get(digest string) hyperv1.PayloadArchType {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[digest]
}

func (a *architectures) put(digest string, arch hyperv1.PayloadArchType) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil || len(a.known) >= maxArchitectures {
		a.known = map[string]hyperv1.PayloadArchType{}
	}
	a.known[digest] = arch
}

// of returns the architecture of the release of hc: Multi where it came from an index of
// several, the one of an index with one, else what its image's config says. That is asked
// once for a release, of the endpoints that releases come from, and not at all where the
// status of hc has it for this spec.
func (a *architectures) of(ctx context.Context, images provider.ImageProvider, hc *hyperv1.HostedCluster, req provider.Request, release *provider.Release) (hyperv1.PayloadArchType, error) {
	if !release.Platform().IsZero() {
		arch := ofIndex(release.IndexPlatforms())
		switch {
		case release.IndexPlatforms() == nil: // the index was read before, or is of several in all likelihood
			return cmp.Or(a.get(release.IndexDigest()), hyperv1.Multi), nil
		case arch != "":
			a.put(release.IndexDigest(), arch)
			return arch, nil
		}
	}
	if arch := a.get(release.Digest()); arch != "" {
		return arch, nil
	}
	valid := apimeta.FindStatusCondition(hc.Status.Conditions, string(hyperv1.ValidReleaseImage))
	if isTrueFor(valid, hc) && hc.Status.PayloadArch != "" {
		return hc.Status.PayloadArch, nil
	}
	arch, err := a.read(ctx, images, req, release.Digest())
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPayloadArch, err)
	}
	return arch, nil
}

// read asks for an architecture, or waits for who asks for it already.
func (a *architectures) read(ctx context.Context, images provider.ImageProvider, req provider.Request, digest string) (hyperv1.PayloadArchType, error) {
	var err error
	// The very manifest that the release was read from, whatever its tag says by now.
	if req.Image, err = req.Image.WithDigest(digest); err != nil {
		return "", err
	}
	key := readingKey{images, req.Image, req.Credentials.ID() + req.MirrorCredentials.ID(), req.Rules}
	for {
		a.mu.Lock()
		if arch := a.known[digest]; arch != "" {
			a.mu.Unlock()
			return arch, nil
		}
		r := a.reading[key]
		if r == nil {
			r = &reading{done: make(chan struct{}), abandoned: true}
			if a.reading == nil {
				a.reading = map[readingKey]*reading{}
			}
			a.reading[key] = r
			a.mu.Unlock()
			a.ask(ctx, key, req, r)
			return r.arch, r.err
		}
		a.mu.Unlock()
		select {
		case <-r.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if !r.abandoned {
			return r.arch, r.err
		}
	}
}

// ask asks, on its caller's goroutine and for as long as its caller wants to know.
func (a *architectures) ask(ctx context.Context, key readingKey, req provider.Request, r *reading) {
	defer func() {
		a.mu.Lock()
		delete(a.reading, key)
		a.mu.Unlock()
		close(r.done)
	}()
	r.arch, r.err = readArchitecture(ctx, key.images, req)
	if r.err == nil {
		a.put(key.image.Digest(), r.arch)
	}
	r.abandoned = r.err != nil && ctx.Err() != nil
}

// ofIndex returns the architecture of an index with these entries: Multi where several of
// the architectures that a payload can have are among them, as in HyperShift, and "" where
// none is.
func ofIndex(entries []provider.Platform) (arch hyperv1.PayloadArchType) {
	for _, p := range entries {
		switch one := hyperv1.ToPayloadArch(p.Architecture); {
		case one == "", one == arch:
		case arch != "":
			return hyperv1.Multi
		default:
			arch = one
		}
	}
	return arch
}

// readArchitecture returns what the config of an image says.
func readArchitecture(ctx context.Context, images provider.ImageProvider, req provider.Request) (hyperv1.PayloadArchType, error) {
	img, err := images.Image(ctx, req)
	if err != nil {
		return "", err
	}
	data, err := img.Config(ctx)
	if err != nil {
		return "", err
	}
	var config struct {
		Architecture string `json:"architecture"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("config of %s: %w", req.Image, err)
	}
	arch := hyperv1.ToPayloadArch(config.Architecture)
	if arch == "" {
		return "", fmt.Errorf("config of %s: architecture %q is none of amd64, arm64, ppc64le and s390x", req.Image, config.Architecture)
	}
	return arch, nil
}
