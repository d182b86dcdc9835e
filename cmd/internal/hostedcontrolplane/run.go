package hostedcontrolplane

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Name is the operator's: of its lease, its field ownership and its logs.
const Name = hypershift.ControlPlaneOperator

// Process is what the operator runs with.
type Process struct {
	Options Options
	// REST is the connection to the cluster.
	REST *rest.Config
	// Base reads registries.
	Base provider.ReleaseProvider
	// Signatures are those that releases need, nil for none. They need a Base that is a
	// [provider.ContentProvider].
	Signatures *operator.Signatures
	// Log is the operator's; nil is silent.
	Log *zap.Logger
	// MetricsAddr, HealthAddr, LeaseNamespace and Metrics are those of
	// [operator.Config].
	MetricsAddr, HealthAddr, LeaseNamespace string
	Metrics                                 prometheus.Registerer
}

// NewManager makes the operator. Starting the manager is running it.
func NewManager(ctx context.Context, p Process) (manager.Manager, error) {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	in, err := p.Options.Read()
	if err != nil {
		return nil, err
	}
	for _, w := range in.Warnings {
		p.Log.Warn(w)
	}
	counts, err := metrics.New(nil)
	if err != nil {
		return nil, err
	}
	hosts := health.New(health.Config{})
	verify, err := p.Signatures.OfCluster(p.Base)
	if err != nil {
		return nil, err
	}
	row := assembly.ControlPlaneOperator(assembly.Deps{
		LookupEnv: p.Options.LookupEnv, Observers: []chain.Observer{chain.LogObserver(operator.Slog(p.Log)), counts}, Health: hosts, Verify: verify,
	}, in.Components)
	srcs, err := p.Options.Sources(ctx, row, in)
	if err != nil {
		return nil, err
	}
	resolver, err := operator.NewResolver(ctx, p.Log, srcs...)
	if err != nil {
		return nil, err
	}
	lookups := operator.TagsFollow(resolver.Current)
	providers, err := NewProviders(p.Base, lookups, row.Layers, row.Rewrite)
	if err != nil {
		return nil, err
	}
	scheme, err := operator.NewScheme()
	if err != nil {
		return nil, err
	}
	mgr, err := operator.NewManager(operator.Config{
		Name: Name, REST: p.REST, Scheme: scheme, Log: p.Log, Resolver: resolver,
		LeaseNamespace: p.LeaseNamespace, MetricsAddr: p.MetricsAddr, HealthAddr: p.HealthAddr,
		Cache: CacheOptions(p.Options.Namespace), Client: ClientOptions(), Metrics: p.Metrics,
		Collectors: []prometheus.Collector{counts, metrics.Hosts(hosts.Hosts, resolver.Current)},
	})
	if err != nil {
		return nil, err
	}
	r := &Reconciler{
		Client:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Applier:   &operator.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Owner: Name},
		Providers: providers, HandedOn: resolver.Current, Lookups: lookups, Changes: resolver.Changes, Settings: in.Settings,
	}
	return mgr, r.SetupWithManager(mgr, resolver)
}
