package hostedcontrolplane

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/atomicfile"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Command returns the command control-plane-operator, of which the ignition server is a
// subcommand. Flags and environment are HyperShift's, and a few more.
func Command(version string) *cobra.Command {
	// Without Args, an unknown command is an error; with cobra.NoArgs it would be helped, and succeed.
	root := &cobra.Command{
		Use:   Name,
		Short: "Look up the releases of one hosted control plane, and run its ignition server",
		Long: `control-plane-operator looks up the releases of one hosted control plane with the mirror
rules that hypershift-operator hands to it. It writes versions and missing images into the
status of the HostedControlPlane, and deploys the ignition server.

docs/operators.md in the source code describes its flags, variables and conditions.`,
		Version: version,
	}
	root.AddCommand(runCommand(version), featureGateCommand(), controller.Command(version))
	return root
}

func runCommand(version string) *cobra.Command {
	f := flags{
		Flags:   operator.Flags{MetricsAddr: operator.DefaultMetricsAddr, HealthAddr: operator.DefaultHealthAddr},
		options: Options{LookupEnv: os.LookupEnv},
	}
	cmd := &cobra.Command{
		Use: "run", Short: "Run the operator", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, version) },
	}
	f.register(cmd)
	return cmd
}

// flags are those of "run". Names that HyperShift has mean what they mean there.
type flags struct {
	operator.Flags
	signatures  operator.SignatureFlags
	dryRun      operator.DryRunFlags
	options     Options
	leaderElect bool
}

func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	f.Register(s)
	f.signatures.Register(s, false)
	operator.RegisterLeaderElect(s, &f.leaderElect)
	f.dryRun.Register(s)
	operator.RegisterOverridesFile(s, &f.options.OverridesFile)
	s.StringVar(&f.options.Namespace, "namespace", os.Getenv("MY_NAMESPACE"), "`NAMESPACE` of the control plane; $MY_NAMESPACE if not set")
	s.StringVar(&f.options.RegistryOverrides, "registry-overrides", "=", "replace registries in images of the control plane: `SOURCE=TARGET,...`")
	s.StringVar(&f.options.ImageOverrides, "image-overrides", "=", "images that replace those of the release: `COMPONENT=IMAGE,...`")
	f.options.Images = make(map[string]*string)
	for _, variable := range []string{envConfigOperator, envSocks5Proxy, envAvailabilityProber, envTokenMinter} {
		f.options.Images[variable] = s.String(imageFlag(variable), "", "`IMAGE` of that component, if $"+variable+" is not set")
	}
	f.NoEffect(s, []string{"enable-ci-debug-output", "in-cluster"}, map[string]string{"deployment-name": Name})
}

func (f *flags) run(cmd *cobra.Command, version string) error {
	return f.dryRun.Run(cmd, func() error { return f.operate(cmd, version) })
}

func (f *flags) operate(cmd *cobra.Command, version string) error {
	p, err := f.Start(cmd, Name, version)
	if err != nil {
		return err
	}
	base, err := registry.New(p.Registry)
	if err != nil {
		return err
	}
	defer base.Close()
	signatures, err := f.signatures.ReadHanded(os.Getenv(operator.EnvSignatures), p.Log)
	if err != nil {
		return err
	}
	f.options.RefuseNetworks = f.RefuseNetworks()
	process := Process{Options: f.options, REST: p.REST, Base: base, Signatures: signatures, Log: p.Log}
	if f.dryRun.DryRun {
		judged, err := DryRun(cmd.Context(), process)
		if err != nil {
			return err
		}
		return f.dryRun.Tell(cmd.OutOrStdout(), judged)
	}
	process.MetricsAddr, process.HealthAddr = f.MetricsAddr, f.HealthAddr
	if f.leaderElect {
		process.LeaseNamespace = f.options.Namespace
	}
	mgr, err := NewManager(cmd.Context(), process)
	if err != nil {
		return err
	}
	return mgr.Start(cmd.Context())
}

// featureGateCommand returns the command of the init container of the ignition server's pod. It
// runs our image, which has no shell.
func featureGateCommand() *cobra.Command {
	return &cobra.Command{
		Use: WriteFeatureGate + " FILE", Short: "Write $" + FeatureGateEnv + " to a file",
		Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text := os.Getenv(FeatureGateEnv)
			if text == "" {
				return fmt.Errorf("$%s is empty: set it to the YAML of the FeatureGate", FeatureGateEnv)
			}
			dir, err := os.OpenRoot(filepath.Dir(args[0]))
			if err != nil {
				return err
			}
			defer dir.Close()
			// The container may be started again beside a server that reads the file.
			return atomicfile.Write(dir, filepath.Base(args[0]), []byte(text), 0o644)
		},
	}
}
