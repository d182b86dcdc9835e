package controller

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Command returns the command ignition-server, of its own binary and of
// control-plane-operator. Flags and environment are HyperShift's, and a few more.
func Command(version string) *cobra.Command {
	f := flags{
		Flags:   operator.Flags{MetricsAddr: operator.DefaultMetricsAddr, HealthAddr: operator.DefaultHealthAddr},
		options: Options{LookupEnv: os.LookupEnv},
		image:   resource.MustParse("4Gi"), cache: resource.MustParse("2Gi"),
	}
	cmd := &cobra.Command{
		Use: Name, Short: "Serve Ignition payloads to the nodes of a hosted cluster", Version: version, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, version) },
	}
	f.register(cmd)
	return cmd
}

// flags are those of the command. Names that HyperShift has mean what they mean there.
type flags struct {
	operator.Flags
	signatures   operator.SignatureFlags
	options      Options
	image, cache resource.Quantity
}

func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	f.Register(s)
	f.signatures.Register(s, false)
	operator.RegisterOverridesFile(s, &f.options.OverridesFile)
	o := &f.options
	s.StringVar(&o.Addr, "addr", "0.0.0.0:9090", "serve payloads, /healthz and /readyz, over HTTPS, on `HOST:PORT`")
	s.StringVar(&o.CertFile, "cert-file", "/var/run/secrets/ignition/serving-cert/tls.crt", "PEM `FILE` of the serving certificate; its changes are followed")
	s.StringVar(&o.KeyFile, "key-file", "/var/run/secrets/ignition/serving-cert/tls.key", "PEM `FILE` of its key; its changes are followed")
	s.StringVar(&o.RegistryOverrides, "registry-overrides", "=", "replace registries in images of the release: `SOURCE=TARGET,...`")
	s.StringVar(&o.Platform, "platform", "", "the `PLATFORM` of the hosted cluster, as in its API")
	s.StringVar(&o.WorkDir, "work-dir", "/payloads", "`DIR` in which payloads are made, and kept across restarts with the files they are made of")
	s.StringVar(&o.FeatureGate, "feature-gate-manifest", "/shared/99_feature-gate.yaml", "`FILE` with the FeatureGate of the hosted cluster, YAML")
	s.StringVar(&o.OSRelease, "os-release", "/usr/lib/os-release", "`FILE` that says on which operating system the programs of a release run here")
	s.IntVar(&o.Parallel, "parallel", 4, "make this many payloads at once")
	s.Var(&quantity{&f.image}, "image-disk", "allow an image `SIZE` on disk while its files are read")
	s.Var(&quantity{&f.cache}, "file-cache", "keep files of images up to `SIZE` in the work directory")
}

func (f *flags) run(cmd *cobra.Command, version string) error {
	p, err := f.Start(cmd, Name, version)
	if err != nil {
		return err
	}
	p.Registry.Limits.Extract = f.image.Value()
	base, err := registry.New(p.Registry)
	if err != nil {
		return err
	}
	defer base.Close()
	reaper, err := process.NewReaper()
	if err != nil {
		return err
	}
	signatures, err := f.signatures.ReadHanded(os.Getenv(operator.EnvSignatures), p.Log)
	if err != nil {
		return err
	}
	o := f.options
	o.Namespace, o.FileCache = os.Getenv("MY_NAMESPACE"), f.cache.Value()
	o.Clients.Bundles, o.Clients.CertDirs = f.TrustFiles()
	o.Clients.Proxy = payload.ProxyEnv(os.Environ())
	s, err := New(cmd.Context(), Process{
		Options: o, REST: p.REST, Base: base, Log: p.Log, MetricsAddr: f.MetricsAddr, HealthAddr: f.HealthAddr,
		Signatures: signatures, Linger: linger, Reaper: reaper,
	})
	if err != nil {
		return err
	}
	return s.Start(cmd.Context())
}

// quantity is a flag with a number of bytes above zero, such as 4Gi.
type quantity struct{ value *resource.Quantity }

func (q *quantity) String() string { return q.value.String() }
func (q *quantity) Type() string   { return "SIZE" }
func (q *quantity) Set(text string) error {
	v, err := resource.ParseQuantity(text)
	if err != nil || v.Value() <= 0 {
		return errSize
	}
	*q.value = v
	return nil
}

var errSize = errors.New("want a number of bytes above zero, such as 4Gi")
