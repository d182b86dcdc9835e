// Command hypershift-operator reconciles the HostedClusters of a management
// cluster: it looks their releases up through the cluster's mirror policies, and
// hands these on to every control plane.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcluster"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(operator.Main(command())) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "hypershift-operator",
		Short: "looks releases of HostedClusters up and hands mirror policies to their control planes",

		Version: version,
	}
	root.AddCommand(runCommand())
	return root
}

func runCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context()) },
	}
	f.register(cmd)
	return cmd
}

// flags are those of "run". Names that HyperShift has mean what they mean there.
type flags struct {
	hostedcluster.Options
	kubeconfig, namespace, podName string
	handover, logLevel             string
	leaderElect                    bool
	certDirs, bundles              []string
	endpointTimeout                time.Duration
}

func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.namespace, "namespace", "hypershift", "`NAMESPACE` of the operator; its lease is there")
	s.StringVar(&f.podName, "pod-name", "", "`NAME` of the operator's pod, whose image is the operator's own where --operator-image is not given")
	s.StringVar(&f.OperatorImage, "operator-image", "", "`PULLSPEC` of the operator's own image")
	s.StringVar(&f.MetricsAddr, "metrics-addr", "0", "`ADDRESS` to serve /metrics on; 0 is not at all")
	s.StringVar(&f.HealthAddr, "health-addr", ":6060", "`ADDRESS` to serve /healthz and /readyz on; 0 is not at all")
	s.BoolVar(&f.leaderElect, "leader-elect", true, "let one replica be active; the others wait")
	s.StringVar(&f.RegistryOverrides, "registry-overrides", "", "replace registries in lookups and results, and hand that on: `SRC=DST,...`")
	s.StringVar(&f.ControlPlaneOperatorImage, "control-plane-operator-image", "", "`PULLSPEC` of control-plane-operators, in place of that of the release")
	s.StringVar(&f.handover, "override-handover", string(hostedcluster.HandoverEnv), "how control planes get the mirror rules: env, or configmap, which restarts nothing")
	s.BoolVar(&f.EnableCIDebugOutput, "enable-ci-debug-output", false, "passed on to control-plane-operators")
	s.DurationVar(&f.CertRotationScale, "cert-rotation-scale", 0, "passed on to control-plane-operators; 0 is 24h")
	s.StringArrayVar(&f.certDirs, "cert-dir", []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}, "`DIR` with REGISTRY[:PORT]/*.crt, *.cert, *.key; repeatable")
	s.StringArrayVar(&f.bundles, "trust-bundle", trust.DefaultBundles(), trust.BundlesHelp)
	s.DurationVar(&f.endpointTimeout, "endpoint-timeout", 0, assembly.EndpointTimeoutHelp)
	s.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `FILE`, in place of $KUBECONFIG, ~/.kube/config and the pod's service account")
	s.StringVar(&f.logLevel, "log-level", "info", "`LEVEL` from which on to log: debug, info, warn or error")
}

func (f *flags) run(ctx context.Context) error {
	o := f.Options
	var err error
	if o.Handover, err = hostedcluster.ParseHandover(f.handover); err != nil {
		return fmt.Errorf("--override-handover: %w", err)
	}
	if o.Log, err = operator.NewLogger(os.Stderr, f.logLevel); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	operator.SetProcessLogger(o.Log)
	if o.REST, err = operator.RESTConfig(f.kubeconfig, hostedcluster.Owner); err != nil {
		return err
	}
	if f.leaderElect {
		o.LeaseNamespace = f.namespace
	}
	if o.OperatorImage == "" && f.podName != "" {
		// Not now: the API server may be away, and is waited for by what is ready to tell so.
		o.FindImage = func(ctx context.Context) (string, error) { return imageOfPod(ctx, o.REST, f.namespace, f.podName) }
	}
	o.Registry.TLS = trust.Registries(f.bundles, f.certDirs, o.Log)
	o.Registry.UserAgent = hostedcluster.Owner
	o.Registry.Timeouts = registry.Silent(f.endpointTimeout)
	o.FeatureSet, o.MetricsSet = os.Getenv("HYPERSHIFT_FEATURESET"), os.Getenv("METRICS_SET")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if v := os.Getenv(name); v != "" {
			o.Proxy = append(o.Proxy, corev1.EnvVar{Name: name, Value: v})
		}
	}
	return hostedcluster.Run(ctx, o)
}

// imageOfPod is the image of the container "operator" of the operator's own pod.
func imageOfPod(ctx context.Context, cfg *rest.Config, namespace, name string) (string, error) {
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		return "", err
	}
	pod := new(corev1.Pod)
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod); err != nil {
		return "", fmt.Errorf("reading the operator's own pod (--pod-name): %w", err)
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == "operator" {
			return c.Image, nil
		}
	}
	return "", fmt.Errorf("the operator's own pod (--pod-name) has no container named operator: %w", hostedcluster.ErrNoImage)
}
