package peers

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	ci "github.com/containers/image/v5/docker"
	citypes "github.com/containers/image/v5/types"
	"github.com/opencontainers/go-digest"
	imagev1 "github.com/openshift/api/image/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/ref"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"

	cinone "github.com/containers/image/v5/pkg/blobinfocache/none"
	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// latency is added before every answer.
const latency = 20 * time.Millisecond

const source = "source.invalid:5000/ocp/release"

// site is a mirror with the reference payload, and configuration that leads to it.
type site struct {
	*testregistry.Registry
	certs, confs string
	digest       string
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(reg.Close)
	s := &site{Registry: reg, certs: tb.TempDir(), confs: tb.TempDir()}
	img := testpayload.Must(testpayload.Release{Components: 146}.Image())
	s.digest = reg.Push("ocp/release", "", img)
	if err := reg.WriteCertsDir(s.certs); err != nil {
		tb.Fatal(err)
	}
	write(tb, filepath.Join(s.confs, "registries.conf"), []sr536.Registry{{
		Prefix: source, Endpoint: sr536.Endpoint{Location: source},
		Mirrors: []sr536.Endpoint{{Location: reg.Host() + "/ocp/release"}},
	}})
	reg.SetLatency(latency)
	return s
}

// A puller reads the manifest of the release and its topmost layer through the mirror
// and finds the components in it, as a process that has just started.
type puller struct {
	name string
	pull func(context.Context, *site) error
}

func pullers() []puller {
	return []puller{
		{"containers/image", pullContainersImage},
		{"go.podman.io/image", pullPodman},
		{"regclient", pullRegclient},
	}
}

// pullOurs verifies the layer before a byte of it is used.
func pullOurs(ctx context.Context, s *site) error {
	base, err := registry.New(registry.Config{RootCAs: s.CA().Pool()})
	if err != nil {
		return err
	}
	defer base.Close()
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: source, Mirrors: []policy.Mirror{{Location: s.Host() + "/ocp/release"}},
	}}})
	if err != nil {
		return err
	}
	c, err := chain.New(base, func() *policy.Rules { return rules }, chain.Mirrors(chain.MirrorsConfig{}))
	if err != nil {
		return err
	}
	rel, err := c.Lookup(ctx, provider.Request{Image: imageref.MustParse(source + "@" + s.digest)})
	if err == nil && rel.Version() == "" {
		err = fmt.Errorf("no version")
	}
	return err
}

func pullContainersImage(ctx context.Context, s *site) error {
	named, err := ci.ParseReference("//" + source + "@" + s.digest)
	if err != nil {
		return err
	}
	sr536.InvalidateCache()
	src, err := named.NewImageSource(ctx, &citypes.SystemContext{
		SystemRegistriesConfPath:    filepath.Join(s.confs, "registries.conf"),
		SystemRegistriesConfDirPath: filepath.Join(s.confs, "none"),
		DockerPerHostCertDirPath:    s.certs,
	})
	if err != nil {
		return err
	}
	defer src.Close()
	manifest, _, err := src.GetManifest(ctx, nil)
	if err != nil {
		return err
	}
	top, size, err := topLayer(manifest)
	if err != nil {
		return err
	}
	blob, _, err := src.GetBlob(ctx, citypes.BlobInfo{Digest: top, Size: size}, cinone.NoCache)
	return decode(blob, err)
}

func pullPodman(ctx context.Context, s *site) error {
	named, err := docker.ParseReference("//" + source + "@" + s.digest)
	if err != nil {
		return err
	}
	sysregistriesv2.InvalidateCache()
	src, err := named.NewImageSource(ctx, &types.SystemContext{
		SystemRegistriesConfPath:    filepath.Join(s.confs, "registries.conf"),
		SystemRegistriesConfDirPath: filepath.Join(s.confs, "none"),
		DockerPerHostCertDirPath:    s.certs,
	})
	if err != nil {
		return err
	}
	defer src.Close()
	manifest, _, err := src.GetManifest(ctx, nil)
	if err != nil {
		return err
	}
	top, size, err := topLayer(manifest)
	if err != nil {
		return err
	}
	blob, _, err := src.GetBlob(ctx, types.BlobInfo{Digest: top, Size: size}, none.NoCache)
	return decode(blob, err)
}

// pullRegclient has a mirror for a whole registry, which is all it knows.
func pullRegclient(ctx context.Context, s *site) error {
	rc := regclient.New(regclient.WithConfigHost(
		config.Host{Name: "source.invalid:5000", Hostname: "source.invalid:5000", Mirrors: []string{s.Host()}},
		config.Host{Name: s.Host(), Hostname: s.Host(), RegCert: string(s.CA().PEM())},
	))
	r, err := ref.New(source + "@" + s.digest)
	if err != nil {
		return err
	}
	defer rc.Close(ctx, r)
	m, err := rc.ManifestGet(ctx, r)
	if err != nil {
		return err
	}
	body, err := m.RawBody()
	if err != nil {
		return err
	}
	top, size, err := topLayer(body)
	if err != nil {
		return err
	}
	blob, err := rc.BlobGet(ctx, r, descriptor.Descriptor{Digest: top, Size: size})
	return decode(blob, err)
}

func topLayer(manifest []byte) (digest.Digest, int64, error) {
	var m struct {
		Layers []struct {
			Digest digest.Digest
			Size   int64
		}
	}
	if err := json.Unmarshal(manifest, &m); err != nil || len(m.Layers) == 0 {
		return "", 0, fmt.Errorf("no layers: %v", err)
	}
	top := m.Layers[len(m.Layers)-1]
	return top.Digest, top.Size, nil
}

// decode does what is left to do for who has a layer: to find what a release consists of.
func decode(blob io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer blob.Close()
	z, err := gzip.NewReader(blob)
	if err != nil {
		return err
	}
	var stream imagev1.ImageStream
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && len(stream.Spec.Tags) > 0:
			return nil
		case err != nil:
			return err
		case h.Name == testpayload.ImageReferencesFile:
			if err := json.NewDecoder(t).Decode(&stream); err != nil {
				return err
			}
		}
	}
}

// BenchmarkLookup has ours and a peer look a release up through a mirror in turn, each
// as a process that has just started, every answer delayed by 20 ms. Medians are
// reported, in answers; "times" is how much faster ours is.
func BenchmarkLookup(b *testing.B) {
	s := newSite(b)
	for _, p := range pullers() {
		b.Run(p.name, func(b *testing.B) {
			var theirs, ours []time.Duration
			timed := func(into *[]time.Duration, pull func(context.Context, *site) error) {
				start := time.Now()
				if err := pull(b.Context(), s); err != nil {
					b.Fatal(err)
				}
				*into = append(*into, time.Since(start))
			}
			for b.Loop() {
				timed(&theirs, p.pull)
				timed(&ours, pullOurs)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(median(theirs))/float64(latency), "answers/theirs")
			b.ReportMetric(float64(median(ours))/float64(latency), "answers/ours")
			b.ReportMetric(float64(median(theirs))/float64(median(ours)), "times")
		})
	}
}

// What each asks for: the requests that reach the mirror, cold. Theirs are told, for
// the record; a peer that needs fewer than we do would be news.
func TestRequestsOfPeers(t *testing.T) {
	s := newSite(t)
	s.SetLatency(0)
	count := func(pull func(context.Context, *site) error) int {
		s.ResetLog()
		if err := pull(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return s.Count()
	}
	ours := count(pullOurs)
	if ours != 2 {
		t.Errorf("ours: %d requests, want 2", ours)
	}
	for _, p := range pullers() {
		n := count(p.pull)
		t.Logf("%s: %d requests, ours %d", p.name, n, ours)
		if n < ours {
			t.Errorf("%s needs %d requests, ours %d", p.name, n, ours)
		}
	}
}
