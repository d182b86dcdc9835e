package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// craneVersion is that of the go-containerregistry that this module pins.
const craneVersion = "v0.22.1"

const checkedImages = 190

// checkSite is a mirror with 190 images, 20 ms from here, and a source that is not there.
type checkSite struct {
	*testregistry.Registry
	dir     string
	digests []string
}

func newCheckSite(b *testing.B) *checkSite {
	b.Helper()
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(reg.Close)
	s := &checkSite{Registry: reg, dir: b.TempDir()}
	var list strings.Builder
	for i := range checkedImages {
		digest := reg.Push("ocp/art", "", testpayload.Must(testpayload.Spec{Labels: map[string]string{"n": fmt.Sprint(i)}}.Image()))
		s.digests = append(s.digests, digest)
		fmt.Fprintf(&list, "quay.invalid/ocp/art@%s\n", digest)
	}
	if err := reg.WriteCertsDir(filepath.Join(s.dir, "certs.d")); err != nil {
		b.Fatal(err)
	}
	for name, content := range map[string]string{
		"ca.pem": string(reg.CA().PEM()), "list": list.String(),
		"idms.yaml": fmt.Sprintf(`{"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet", "metadata": {"name": "m"},
			"spec": {"imageDigestMirrors": [{"source": "quay.invalid/ocp", "mirrors": [%q]}]}}`, reg.Host()+"/ocp"),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	reg.SetLatency(latency)
	return s
}

// usage is what runs of a program took.
type usage struct{ peak atomic.Int64 } // bytes of the largest process

func (u *usage) run(ctx context.Context, s *checkSite, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"HOME=" + s.dir, "SSL_CERT_FILE=" + filepath.Join(s.dir, "ca.pem"), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		for n := r.Maxrss << 10; ; {
			old := u.peak.Load()
			if n <= old || u.peak.CompareAndSwap(old, n) {
				return nil
			}
		}
	}
	return nil
}

// BenchmarkCheck is P13: are 190 images on a mirror, asked by one command, and by one
// command for each image, in a loop and sixteen at once. "requests" and "bytes" are those
// that the mirror got and sent for each image.
func BenchmarkCheck(b *testing.B) {
	bin := b.TempDir()
	build := func(name string, args ...string) string {
		b.Helper()
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("building %s: %v\n%s", name, err, out)
		}
		return filepath.Join(bin, name)
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, "mirrorchain"), "./cmd/mirrorchain")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building the command: %v\n%s", err, out)
	}
	crane := build("crane", "install", "github.com/google/go-containerregistry/cmd/crane@"+craneVersion)
	s := newCheckSite(b)
	each := func(program func(ref string) []string, atOnce int) func(context.Context, *usage) error {
		return func(ctx context.Context, u *usage) error {
			errs := make(chan error, len(s.digests))
			var next atomic.Int64
			var wg sync.WaitGroup
			for range atOnce {
				wg.Go(func() {
					for i := int(next.Add(1)) - 1; i < len(s.digests); i = int(next.Add(1)) - 1 {
						args := program(s.Host() + "/ocp/art@" + s.digests[i])
						errs <- u.run(ctx, s, args[0], args[1:]...)
					}
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	ours := func(args ...string) func(context.Context, *usage) error {
		return func(ctx context.Context, u *usage) error {
			return u.run(ctx, s, filepath.Join(bin, "mirrorchain"), append([]string{"check", "-s", "idms.yaml", "--cert-dir", "certs.d", "-f", "list"}, args...)...)
		}
	}
	craneDigest := func(ref string) []string { return []string{crane, "digest", "--full-ref", ref} }
	skopeoInspect := func(ref string) []string {
		return []string{"skopeo", "inspect", "--no-tags", "--cert-dir", filepath.Join("certs.d", s.Host()), "docker://" + ref}
	}
	for _, c := range []struct {
		name string
		run  func(context.Context, *usage) error
	}{
		{"mirrorchain", ours()},
		{"mirrorchain-all-mirrors", ours("--all-mirrors")},
		{"crane-loop", each(craneDigest, 1)},
		{"crane-16", each(craneDigest, 16)},
		{"skopeo-loop", each(skopeoInspect, 1)},
		{"skopeo-16", each(skopeoInspect, 16)},
	} {
		b.Run(c.name, func(b *testing.B) {
			if _, err := exec.LookPath("skopeo"); err != nil && strings.HasPrefix(c.name, "skopeo") {
				b.Skip("skopeo is not installed")
			}
			s.ResetLog()
			var u usage
			start := time.Now()
			for b.Loop() {
				if err := c.run(b.Context(), &u); err != nil {
					b.Fatal(err)
				}
			}
			each := float64(b.N) * checkedImages
			b.ReportMetric(float64(time.Since(start))/float64(b.N), "ns/check")
			b.ReportMetric(float64(s.Count())/each, "requests")
			b.ReportMetric(float64(s.Bytes())/each, "bytes")
			b.ReportMetric(float64(u.peak.Load()), "peak-bytes")
		})
	}
}
