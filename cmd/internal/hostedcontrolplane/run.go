package hostedcontrolplane

import (
	"context"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources"
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
	made, err := p.parts(ctx, nil)
	if err != nil {
		return nil, err
	}
	return made.mgr, made.SetupWithManager(made.mgr, made.resolver)
}

// DryRun reconciles the HostedControlPlane once, and returns what would be written. Nothing is, and
// nothing is served.
func DryRun(ctx context.Context, p Process) (operator.Judged, error) {
	p.REST = operator.RefuseWrites(p.REST)
	p.MetricsAddr, p.HealthAddr, p.LeaseNamespace = "", "", ""
	dry := new(operator.DryRun)
	made, err := p.parts(ctx, dry)
	if err != nil {
		return operator.Judged{}, err
	}
	failed, err := operator.Judgement{
		List: &hyperv1.HostedControlPlaneList{}, Options: []client.ListOption{client.InNamespace(p.Options.Namespace)},
		Missing: func() error { return operator.NotInForce(made.resolver) },
		Judge: func(ctx context.Context, key client.ObjectKey) error {
			_, err := made.once(ctx, reconcile.Request{NamespacedName: key})
			return err
		},
	}.Run(ctx, made.mgr)
	return operator.Judged{Changes: dry.Changes(), Failed: failed}, err
}

// parts are what the operator is made of.
type parts struct {
	*Reconciler
	mgr      manager.Manager
	resolver *sources.Resolver
}

// parts makes them; dry is nil where the operator writes.
func (p Process) parts(ctx context.Context, dry *operator.DryRun) (made parts, err error) {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	in, err := p.Options.Read()
	if err != nil {
		return made, err
	}
	for _, w := range in.Warnings {
		p.Log.Warn(w)
	}
	counts, err := metrics.New(nil)
	if err != nil {
		return made, err
	}
	hosts := health.New(health.Config{})
	verify, err := p.Signatures.OfCluster(p.Base)
	if err != nil {
		return made, err
	}
	row := assembly.ControlPlaneOperator(assembly.Deps{
		LookupEnv: p.Options.LookupEnv, Observers: []chain.Observer{chain.LogObserver(operator.Slog(p.Log)), counts}, Health: hosts, Verify: verify,
	}, in.Components)
	srcs, err := p.Options.Sources(ctx, row, in)
	if err != nil {
		return made, err
	}
	resolver, err := operator.NewResolver(ctx, p.Log, srcs...)
	if err != nil {
		return made, err
	}
	lookups := operator.TagsFollow(resolver.Current)
	providers, err := NewProviders(p.Base, lookups, row.Layers, row.Rewrite)
	if err != nil {
		return made, err
	}
	scheme, err := operator.NewScheme()
	if err != nil {
		return made, err
	}
	mgr, err := operator.NewManager(operator.Config{
		Name: Name, REST: p.REST, Scheme: scheme, Log: p.Log, Resolver: resolver,
		LeaseNamespace: p.LeaseNamespace, MetricsAddr: p.MetricsAddr, HealthAddr: p.HealthAddr,
		Cache: CacheOptions(p.Options.Namespace), Client: ClientOptions(), Metrics: p.Metrics, DryRun: dry,
		Collectors: []prometheus.Collector{counts, metrics.Hosts(hosts.Hosts, resolver.Current)},
	})
	if err != nil {
		return made, err
	}
	r := &Reconciler{
		Client:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Applier:   &operator.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Owner: Name, Settled: operator.NewSettled()},
		Providers: providers, HandedOn: resolver.Current, Lookups: lookups, Changes: resolver.Changes, Settings: in.Settings,
	}
	return parts{r, mgr, resolver}, nil
}
