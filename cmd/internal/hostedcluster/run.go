package hostedcluster

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/idms"
)

// Options are one run of the operator.
type Options struct {
	Settings
	// FindImage finds Settings.OperatorImage where that is empty, when health and metrics
	// are served already. A failure is tried again, but for one of [ErrNoImage].
	FindImage func(context.Context) (string, error)
	// Process has the connection to the management cluster, the log, nil for none, and how
	// registries are read.
	operator.Process
	// Namespace is the operator's own; the ConfigMap trusted-ca there has authorities to
	// trust. Empty: it is not read.
	Namespace string
	// LeaseNamespace, LeaseDuration, MetricsAddr, HealthAddr and Metrics are those of
	// [operator.Config].
	LeaseNamespace          string
	LeaseDuration           time.Duration
	MetricsAddr, HealthAddr string
	Metrics                 prometheus.Registerer
	// RegistryOverrides is --registry-overrides: replaced in lookups and results, and
	// handed on.
	RegistryOverrides string
	// Signatures are those that releases need, nil for none.
	Signatures *operator.Signatures
	// StatusPage is where the status page is served; zero is nowhere.
	StatusPage operator.StatusPage
	// DryRun notes what would be written in place of writing it, and Judged is told what came of it
	// when every HostedCluster was judged once, which ends the run. Nil: it is written.
	DryRun *operator.DryRun
	Judged func(operator.Judged) error
	// MirrorCredentials is the Secret with the operator's own credentials for mirrors of the
	// management cluster, for HostedClusters whose pull secret has none; no name for none.
	MirrorCredentials client.ObjectKey
	// Sources are how policies are read from the cluster; REST is filled in.
	Sources idms.Config
}

// Run runs the operator until ctx ends or it cannot go on. It fails at once for
// what waiting cannot mend; an API server that is away is waited for.
func Run(ctx context.Context, o Options) error {
	if o.OperatorImage == "" && o.FindImage == nil {
		return errors.New("the operator's own image is not known; name it with --operator-image or --pod-name")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.DryRun != nil {
		o.REST = operator.RefuseWrites(o.REST)
	}
	o.Sources.REST = o.REST
	counts, err := metrics.New(nil)
	if err != nil {
		return err
	}
	recent := new(statuspage.Recent)
	deps := assembly.Deps{Cluster: o.Sources, Observers: []chain.Observer{chain.LogObserver(operator.Slog(o.Log)), counts}}
	if o.StatusPage != (operator.StatusPage{}) {
		deps.Observers = append(deps.Observers, recent)
	}
	resolver, err := o.newResolver(ctx, deps)
	if err != nil {
		return err
	}

	managed := newManagedCA(o.Namespace, o.Log)
	lookups, err := NewLookups(trusting(o.Registry, managed.trusted), operator.TagsFollow(resolver.Current), deps, o.Signatures)
	if err != nil {
		return err
	}
	defer lookups.Close()
	o.Log.Info("releases are looked up through", zap.Stringer("chain", lookups))

	scheme, err := operator.NewScheme()
	if err != nil {
		return err
	}
	mgr, err := operator.NewManager(operator.Config{
		Name: Owner, REST: o.REST, Scheme: scheme, Log: o.Log, Resolver: resolver,
		LeaseNamespace: o.LeaseNamespace, LeaseDuration: o.LeaseDuration, MetricsAddr: o.MetricsAddr, HealthAddr: o.HealthAddr,
		Cache: CacheOptions(), Client: ClientOptions(), Metrics: o.Metrics,
		DryRun:     o.DryRun,
		Collectors: []prometheus.Collector{counts, metrics.Hosts(lookups.Hosts, resolver.Current)},
	})
	if err != nil {
		return err
	}
	if err := o.Signatures.Add(mgr); err != nil {
		return err
	}
	if err := o.StatusPage.Add(mgr, o.REST, statuspage.Config{
		Program: Owner, Resolver: resolver, Hosts: lookups.Hosts, Recent: recent, TagsFollow: true,
	}); err != nil {
		return err
	}
	r := &Reconciler{
		Settings: o.Settings, Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Metadata: mgr.GetCache(), Lookups: lookups, Rules: resolver.Current, Changes: resolver.Changes,
		Waiting: func() error { return operator.NotInForce(resolver) },
		HasSCC:  HasSCC(mgr.GetRESTMapper()), Signatures: o.Signatures,
		managed: managed, operatorSecret: newOperatorCredentials(o.MirrorCredentials, o.Log),
	}
	if o.DryRun != nil {
		failed, err := r.dryRun(ctx, mgr, resolver, o.FindImage)
		if err != nil {
			return err
		}
		return o.Judged(operator.Judged{Changes: o.DryRun.Changes(), Failed: failed})
	}
	if o.OperatorImage != "" {
		if err := r.SetupWithManager(mgr, resolver); err != nil {
			return err
		}
		return mgr.Start(ctx)
	}
	if err := r.setUpLater(mgr, resolver, o); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newResolver returns the resolver of the policies of the management cluster and of
// --registry-overrides.
func (o *Options) newResolver(ctx context.Context, deps assembly.Deps) (*sources.Resolver, error) {
	srcs, err := assembly.HypershiftOperator(deps).Open(ctx)
	if err != nil {
		return nil, err
	}
	rewrites, err := handover.ParseRegistryOverrides(o.RegistryOverrides, "--registry-overrides")
	if err != nil {
		return nil, err
	}
	srcs = append(srcs, sources.Static("flags", policy.Policy{Rules: rewrites}))
	return operator.NewResolver(ctx, o.Log, srcs...)
}
