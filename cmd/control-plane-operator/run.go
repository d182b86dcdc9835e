package main

import (
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func runCommand() *cobra.Command {
	o := hostedcontrolplane.Options{LookupEnv: os.LookupEnv}
	var metrics, health, kubeconfig, level, unused string
	var certDirs, bundles []string
	var endpointTimeout time.Duration
	var elect, debug bool
	cmd := &cobra.Command{
		Use: "run", Short: "reconcile the HostedControlPlane of a namespace", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := operator.NewLogger(cmd.ErrOrStderr(), level)
			if err != nil {
				return err
			}
			operator.SetProcessLogger(log)
			agent := hostedcontrolplane.Name + "/" + version
			rest, err := operator.RESTConfig(kubeconfig, agent)
			if err != nil {
				return err
			}
			base, err := registry.New(registry.Config{
				TLS: trust.Registries(bundles, certDirs, log), Proxy: http.ProxyFromEnvironment, UserAgent: agent,
				Timeouts: registry.Silent(endpointTimeout),
			})
			if err != nil {
				return err
			}
			defer base.Close()
			lease := ""
			if elect {
				lease = o.Namespace
			}
			mgr, err := hostedcontrolplane.NewManager(cmd.Context(), hostedcontrolplane.Process{
				Options: o, REST: rest, Base: base, Log: log,
				MetricsAddr: metrics, HealthAddr: health, LeaseNamespace: lease,
			})
			if err != nil {
				return err
			}
			return mgr.Start(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Namespace, "namespace", os.Getenv("MY_NAMESPACE"), "the namespace of the control plane; $MY_NAMESPACE if not set")
	f.StringVar(&o.RegistryOverrides, "registry-overrides", "=", "registries to replace in images of the control plane, SOURCE=TARGET,...")
	f.StringVar(&o.ImageOverrides, "image-overrides", "=", "images to use whatever the release says, COMPONENT=IMAGE,...")
	f.StringVar(&o.OverridesFile, "overrides-file", "", "read mirror rules from this file, and follow it, instead of from $MIRRORCHAIN_OVERRIDES or $OPENSHIFT_IMG_OVERRIDES")
	f.StringVar(&metrics, "metrics-addr", "0.0.0.0:8080", "serve /metrics on HOST:PORT; 0 for not at all")
	f.StringVar(&health, "health-addr", ":6060", "serve /healthz and /readyz on HOST:PORT; 0 for not at all")
	f.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig file to connect with; as kubectl finds one, or the pod's own account, if not set")
	f.StringArrayVar(&certDirs, "cert-dir", []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}, "a folder with certificates of registries, REGISTRY[:PORT]/*.crt; may be given more than once")
	f.StringArrayVar(&bundles, "trust-bundle", trust.DefaultBundles(), trust.BundlesHelp)
	f.DurationVar(&endpointTimeout, "endpoint-timeout", 0, assembly.EndpointTimeoutHelp)
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&elect, "leader-elect", true, "have one active replica at a time")
	// Part of the Deployment's command; nothing here depends on them.
	f.StringVar(&unused, "deployment-name", hostedcontrolplane.Name, "the name of the operator's Deployment; has no effect")
	f.BoolVar(&debug, "enable-ci-debug-output", false, "has no effect")
	return cmd
}
