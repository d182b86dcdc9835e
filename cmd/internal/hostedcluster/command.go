package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// Command returns the command hypershift-operator. Flags and environment are
// HyperShift's, and a few more.
func Command(version string) *cobra.Command {
	root := &cobra.Command{
		Use:   Owner,
		Short: "Look up the releases of HostedClusters, and hand mirror policies to their control planes",
		Long: `hypershift-operator looks up the releases of HostedClusters through the mirror policies of
the management cluster, and hands these policies to their control planes.

It must not run on a cluster that has HyperShift's own operator: both would write the same
objects. docs/operators.md in the source code describes its flags, variables and conditions.`,

		Version: version,
	}
	root.AddCommand(runCommand(version), initCommand(managedAuthorities, writtenAuthorities))
	return root
}

func runCommand(version string) *cobra.Command {
	f := flags{Flags: operator.Flags{MetricsAddr: operator.DefaultMetricsAddr, HealthAddr: operator.DefaultHealthAddr}}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd, version) },
	}
	f.register(cmd)
	return cmd
}

// flags are those of "run". Names that HyperShift has mean what they mean there.
type flags struct {
	operator.Flags
	signatures         operator.SignatureFlags
	statusPage         operator.StatusPageFlags
	options            Options
	namespace, podName string
	handover           string
	supported          string
	optOut             string
	mirrorCredentials  string
	leaderElect        bool
	dryRun             operator.DryRunFlags
}

func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	f.Register(s)
	f.signatures.Register(s, true)
	f.statusPage.Register(s)
	operator.RegisterLeaderElect(s, &f.leaderElect)
	f.dryRun.Register(s)
	s.StringVar(&f.namespace, "namespace", "hypershift", "`NAMESPACE` of the operator, with its lease and the ConfigMap trusted-ca")
	s.StringVar(&f.podName, "pod-name", "", "`NAME` of the operator's pod, whose image is used if --operator-image is not given")
	s.StringVar(&f.options.OperatorImage, "operator-image", "", "`PULLSPEC` of the operator's own image")
	s.StringVar(&f.options.RegistryOverrides, "registry-overrides", "", "replace registries in lookups and results, here and in control planes: `SOURCE=TARGET,...`")
	s.StringVar(&f.options.ControlPlaneOperatorImage, "control-plane-operator-image", "", "`PULLSPEC` of control-plane-operators, instead of that of the release")
	s.StringVar(&f.handover, "override-handover", string(HandoverEnv), "how control planes get the mirror rules: env, or configmap, which restarts nothing")
	s.StringVar(&f.supported, "supported-versions", DefaultVersions.String(), "minor versions of releases that are rolled out: `MIN-MAX`")
	s.StringVar(&f.optOut, "management-mirrors-opt-out", string(OptOutDenied), "whether HostedClusters may choose other mirrors than this cluster's, by annotation: allowed or denied")
	s.BoolVar(&f.options.UnblockOnOptOut, "allow-opt-out-of-never-contact", false, "with --management-mirrors-opt-out=allowed: policies that a HostedCluster opts out of block nothing for it, not even by NeverContactSource or blockedRegistries")
	s.StringVar(&f.mirrorCredentials, "management-mirror-credentials", "", "Secret `NAMESPACE/SECRET` with credentials for mirrors of this cluster's policies; every HostedCluster uses them for hosts that its pull secret does not name")
	s.BoolVar(&f.options.HandOverMirrorCredentials, "hand-over-mirror-credentials", false, "copy those of --management-mirror-credentials that the rules of a control plane need into its namespace; the control-plane-operator and the ignition server use them there, and everybody who may read Secrets there can read them")
	s.BoolVar(&f.options.EnableCIDebugOutput, "enable-ci-debug-output", false, "passed on to control-plane-operators")
	s.DurationVar(&f.options.CertRotationScale, "cert-rotation-scale", 0, "passed on to control-plane-operators; 0 is $"+envCertRotationScale+", or 24h")
	// cert-dir is where HyperShift's webhook has its certificate.
	f.NoEffect(s, []string{
		"enable-dedicated-request-serving-isolation", "enable-ocp-cluster-monitoring", "enable-uwm-telemetry-remote-write", "enable-validating-webhook",
	}, map[string]string{
		"cert-dir": "", "deployment-name": "operator", "etcd-backup-max-count": "", "feature-gates": "", "gcp-oidc-storage-bucket-name": "",
		"hcp-egress-block-cidrs": "", "oidc-storage-provider-s3-bucket-name": "", "oidc-storage-provider-s3-credentials": "",
		"oidc-storage-provider-s3-region": "", "private-platform": "None", "scale-from-zero-creds": "", "scale-from-zero-provider": "",
	})
}

const envCertRotationScale = "CERT_ROTATION_SCALE"

// certRotationScale returns the scale that the flag gives, or else the environment.
func certRotationScale(given time.Duration, lookup func(string) (string, bool)) (time.Duration, error) {
	if given < 0 {
		return 0, fmt.Errorf("--cert-rotation-scale: %v is negative; write it as in 24h", given)
	}
	value, _ := lookup(envCertRotationScale)
	if given > 0 || value == "" {
		return given, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: %q is no duration; write it as in 24h0m0s", envCertRotationScale, value)
	}
	return d, nil
}

func (f *flags) run(cmd *cobra.Command, version string) error {
	return f.dryRun.Run(cmd, func() error { return f.operate(cmd, version) })
}

func (f *flags) operate(cmd *cobra.Command, version string) error {
	o := f.options
	var err error
	if o.Handover, err = ParseHandover(f.handover); err != nil {
		return fmt.Errorf("--override-handover: %w", err)
	}
	if o.OptOut, err = ParseOptOut(f.optOut); err != nil {
		return fmt.Errorf("--management-mirrors-opt-out: %w", err)
	}
	if o.MirrorCredentials, err = ParseMirrorCredentials(f.mirrorCredentials); err != nil {
		return fmt.Errorf("--management-mirror-credentials: %w", err)
	}
	if o.HandOverMirrorCredentials && o.MirrorCredentials.Name == "" {
		return errors.New("--hand-over-mirror-credentials has no effect without --management-mirror-credentials")
	}
	if o.UnblockOnOptOut && o.OptOut != OptOutAllowed {
		return errors.New("--allow-opt-out-of-never-contact has no effect without --management-mirrors-opt-out=allowed")
	}
	if o.Supported, err = ParseVersionRange(f.supported); err != nil {
		return fmt.Errorf("--supported-versions: %w", err)
	}
	if o.CertRotationScale, err = certRotationScale(o.CertRotationScale, os.LookupEnv); err != nil {
		return err
	}
	if o.StatusPage, err = f.statusPage.Read(); err != nil {
		return err
	}
	p, err := f.Start(cmd, Owner, version)
	if err != nil {
		return err
	}
	if f.dryRun.DryRun {
		f.MetricsAddr, f.HealthAddr, f.leaderElect = "0", "0", false // another replica may be running here
		o.DryRun = new(operator.DryRun)
		o.Judged = func(j operator.Judged) error { return f.dryRun.Tell(cmd.OutOrStdout(), j) }
	}
	if o.Signatures, err = f.signatures.Read(p.REST, p.Log); err != nil {
		return err
	}
	o.Process, o.MetricsAddr, o.HealthAddr = p, f.MetricsAddr, f.HealthAddr
	o.Namespace = f.namespace
	if f.leaderElect {
		o.LeaseNamespace = f.namespace
	}
	if o.OperatorImage == "" && f.podName != "" {
		// Not now: the API server may be away, and is waited for by what is ready to tell so.
		o.FindImage = func(ctx context.Context) (string, error) { return imageOfPod(ctx, o.REST, f.namespace, f.podName) }
	}
	o.FeatureSet, o.MetricsSet = os.Getenv("HYPERSHIFT_FEATURESET"), os.Getenv("METRICS_SET")
	o.RefuseNetworks = f.RefuseNetworks()
	o.PassedOn = append(passedOn(os.LookupEnv), hypershift.ProxyEnv(os.LookupEnv)...)
	return Run(cmd.Context(), o)
}

// imageOfPod returns the image of the container "operator" of the operator's own pod.
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
	return "", fmt.Errorf("the operator's own pod (--pod-name) has no container named operator: %w", ErrNoImage)
}
