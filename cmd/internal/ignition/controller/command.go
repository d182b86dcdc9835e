package controller

import (
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Command is the command ignition-server, of its own binary and of
// control-plane-operator. Flags and environment are HyperShift's, and a few more.
func Command(version string) *cobra.Command {
	o := Options{LookupEnv: os.LookupEnv}
	var metrics, health, kubeconfig, level string
	var certDirs, bundles []string
	cmd := &cobra.Command{
		Use: Name, Short: "serve Ignition payloads to the nodes of a hosted cluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Namespace = os.Getenv("MY_NAMESPACE")
			log, err := operator.NewLogger(cmd.ErrOrStderr(), level)
			if err != nil {
				return err
			}
			operator.SetProcessLogger(log)
			o.Clients = payload.Clients{Bundles: bundles, CertDirs: certDirs, Proxy: payload.ProxyEnv(os.Environ())}
			agent := Name + "/" + version
			rest, err := operator.RESTConfig(kubeconfig, agent)
			if err != nil {
				return err
			}
			base, err := registry.New(registry.Config{
				TLS: trust.Registries(bundles, certDirs, log), Proxy: http.ProxyFromEnvironment, UserAgent: agent,
			})
			if err != nil {
				return err
			}
			defer base.Close()
			reaper, err := process.NewReaper()
			if err != nil {
				return err
			}
			s, err := New(cmd.Context(), Process{
				Options: o, REST: rest, Base: base, Log: log, MetricsAddr: metrics, HealthAddr: health, Linger: linger, Reaper: reaper,
			})
			if err != nil {
				return err
			}
			return s.Start(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Addr, "addr", "0.0.0.0:9090", "serve payloads and /healthz over HTTPS on `HOST:PORT`")
	f.StringVar(&o.CertFile, "cert-file", "/var/run/secrets/ignition/serving-cert/tls.crt", "the serving certificate, PEM; followed")
	f.StringVar(&o.KeyFile, "key-file", "/var/run/secrets/ignition/serving-cert/tls.key", "its key, PEM; followed")
	f.StringVar(&o.RegistryOverrides, "registry-overrides", "=", "registries to replace in images of the release, `SOURCE=TARGET,...`")
	f.StringVar(&o.OverridesFile, "overrides-file", "", "read mirror rules from this `FILE`, and follow it, instead of from $MIRRORCHAIN_OVERRIDES or $OPENSHIFT_IMG_OVERRIDES")
	f.StringVar(&o.Platform, "platform", "", "the `PLATFORM` of the hosted cluster, as in its API")
	f.StringVar(&o.WorkDir, "work-dir", "/payloads", "`DIR` to make payloads in, and to keep them and what they are made of across restarts")
	f.StringVar(&o.FeatureGate, "feature-gate-manifest", "/shared/99_feature-gate.yaml", "the FeatureGate of the hosted cluster, YAML")
	f.StringVar(&o.OSRelease, "os-release", "/usr/lib/os-release", "`FILE` that says what system this is, which the release's programs are to run on")
	f.IntVar(&o.Parallel, "parallel", 4, "how many payloads are made at once")
	f.StringVar(&metrics, "metrics-addr", "0.0.0.0:8080", "serve /metrics on `HOST:PORT`; 0 for not at all")
	f.StringVar(&health, "health-addr", "0", "serve /healthz and /readyz, which says how the mirror rules are, in plain HTTP on `HOST:PORT` too; 0 for not at all")
	f.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig file to connect with; as kubectl finds one, or the pod's own account, if not set")
	f.StringArrayVar(&certDirs, "cert-dir", []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}, "a folder with certificates of registries, REGISTRY[:PORT]/*.crt; may be given more than once")
	f.StringArrayVar(&bundles, "trust-bundle", trust.DefaultBundles(), trust.BundlesHelp)
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}
