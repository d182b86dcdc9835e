package operator

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Addresses that the operators serve on by default.
const (
	DefaultMetricsAddr = "0.0.0.0:8080"
	DefaultHealthAddr  = ":6060"
)

// Flags are those that every operator has. Names that HyperShift has mean what they mean
// there.
type Flags struct {
	// MetricsAddr and HealthAddr are those of [Config]. What they hold before
	// [Flags.Register] is the default.
	MetricsAddr, HealthAddr string

	kubeconfig, logLevel string
	certDirs, bundles    []string
	refuse               string
	endpointTimeout      time.Duration
	noEffect             map[string]string // flags of [Flags.NoEffect], and what asks for nothing
}

// Register adds the flags to s.
func (f *Flags) Register(s *pflag.FlagSet) {
	s.StringVar(&f.MetricsAddr, "metrics-addr", f.MetricsAddr, "serve /metrics, in plain HTTP, on `HOST:PORT`; 0 turns it off")
	s.StringVar(&f.HealthAddr, "health-addr", f.HealthAddr, "serve /healthz and /readyz, in plain HTTP, on `HOST:PORT`; 0 turns it off")
	s.StringVar(&f.HealthAddr, "health-probe-addr", f.HealthAddr, "the same as --health-addr, under HyperShift's name")
	s.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `FILE`, in place of $KUBECONFIG, ~/.kube/config and the pod's service account")
	s.StringVar(&f.logLevel, "log-level", "info", "log messages of this `LEVEL` and above: debug, info, warn or error")
	s.StringArrayVar(&f.certDirs, "registry-cert-dir", []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}, "`DIR` with certificates of registries, REGISTRY[:PORT]/*.crt, *.cert and *.key; repeatable")
	s.StringArrayVar(&f.bundles, "trust-bundle", trust.DefaultBundles(), trust.BundlesHelp)
	s.StringVar(&f.refuse, "refuse-networks", os.Getenv(EnvRefuseNetworks), "do not connect to these networks for registries that no mirror policy names: `CIDR,...`; loopback and link-local addresses are then refused, too; default: $"+EnvRefuseNetworks)
	s.DurationVar(&f.endpointTimeout, "endpoint-timeout", 0, assembly.EndpointTimeoutHelp)
}

// RegisterLeaderElect adds --leader-elect to s, for operators with a lease.
func RegisterLeaderElect(s *pflag.FlagSet, elect *bool) {
	s.BoolVar(elect, "leader-elect", true, "only one replica is active at a time; the others wait")
}

// RegisterOverridesFile adds --overrides-file to s, for operators that are handed rules.
func RegisterOverridesFile(s *pflag.FlagSet, file *string) {
	s.StringVar(file, "overrides-file", "", "read the mirror rules from this `FILE` and follow its changes, instead of $MIRRORCHAIN_OVERRIDES and $OPENSHIFT_IMG_OVERRIDES")
}

// NoEffect adds flags of HyperShift that mean nothing here to s, so that its Deployments
// start. switches are those that need no value. The others take any, and are repeatable; they
// are given with the value that asks for nothing, "" if there is none. [Flags.Start] warns of
// flags that ask for something.
func (f *Flags) NoEffect(s *pflag.FlagSet, switches []string, valued map[string]string) {
	const usage = "a flag of HyperShift, without effect here"
	f.noEffect = make(map[string]string)
	for _, name := range switches {
		s.Bool(name, false, usage)
		f.noEffect[name] = "false"
	}
	for name, neutral := range valued {
		s.StringArray(name, nil, usage)
		f.noEffect[name] = "[" + neutral + "]"
	}
}

// warnNoEffect tells once which of the given flags have no effect.
func (f *Flags) warnNoEffect(s *pflag.FlagSet, log *zap.Logger) {
	var given []string
	for _, name := range slices.Sorted(maps.Keys(f.noEffect)) {
		if flag := s.Lookup(name); flag.Changed && flag.Value.String() != f.noEffect[name] {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 0 {
		log.Warn("these flags are HyperShift's and have no effect here", zap.Strings("flags", given))
	}
}

// Process is what an operator's process runs with.
type Process struct {
	Log      *zap.Logger
	REST     *rest.Config
	Registry registry.Config
}

// Start returns what the process of cmd runs with, as the flags say: its log on stderr,
// which is that of the libraries too, the connection to the cluster, and how registries
// are read. name and version are told to servers.
func (f *Flags) Start(cmd *cobra.Command, name, version string) (Process, error) {
	log, err := NewLogger(cmd.ErrOrStderr(), f.logLevel)
	if err != nil {
		return Process{}, fmt.Errorf("--log-level: %w", err)
	}
	SetProcessLogger(log)
	f.warnNoEffect(cmd.Flags(), log)
	refuse, err := parseNetworks(f.refuse)
	if err != nil {
		return Process{}, fmt.Errorf("--refuse-networks: %w", err)
	}
	agent := name + "/" + version
	rest, err := RESTConfig(f.kubeconfig, agent)
	if err != nil {
		return Process{}, err
	}
	return Process{Log: log, REST: rest, Registry: registry.Config{
		TLS: trust.Registries(f.bundles, f.certDirs, log), Timeouts: registry.Silent(f.endpointTimeout), UserAgent: agent,
		RefuseNetworks: refuse, HideElsewhere: true, Observe: elsewhereLogger(log),
	}}, nil
}

// elsewhereLogger returns an observer that logs how hosts could not be reached that a
// registry leads to. Errors, which tenants see in conditions, do not say it.
func elsewhereLogger(log *zap.Logger) func(registry.Exchange) {
	return func(x registry.Exchange) {
		if x.Path == "" && x.Class != provider.ClassUnknown {
			log.Info("a host that a registry leads to could not be asked", zap.String("host", x.Host), zap.Stringer("class", x.Class))
		}
	}
}

// EnvRefuseNetworks is the variable that hands --refuse-networks on to control planes. Who
// does not know it is not disturbed, unlike by a flag.
const EnvRefuseNetworks = "MIRRORCHAIN_REFUSE_NETWORKS"

// HandOnNetworks returns the variable that hands the networks refused on, none if none are.
func HandOnNetworks(refuse string) []corev1.EnvVar {
	if refuse == "" {
		return nil
	}
	return []corev1.EnvVar{{Name: EnvRefuseNetworks, Value: refuse}}
}

// RefuseNetworks returns the value of --refuse-networks.
func (f *Flags) RefuseNetworks() string { return f.refuse }

// parseNetworks parses CIDR,... "" is none.
func parseNetworks(list string) (out []netip.Prefix, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is no network; write it as in 10.128.0.0/14", text)
		}
		if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
		}
		out = append(out, network.Masked())
	}
	return out, nil
}

// TrustFiles returns the values of --trust-bundle and --registry-cert-dir.
func (f *Flags) TrustFiles() (bundles, certDirs []string) { return f.bundles, f.certDirs }
