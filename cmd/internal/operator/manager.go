package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/mirrorchain/mirrorchain/sources"
)

// Config is one operator.
type Config struct {
	// Name of the operator, "hypershift-operator". Its lease has it too.
	Name string
	// REST is the connection to the cluster; see [RESTConfig].
	REST *rest.Config
	// Scheme knows every type that is read or written.
	Scheme *runtime.Scheme
	// Log is the operator's; nil is silent.
	Log *zap.Logger
	// Resolver is followed as long as the manager runs, and reported by /readyz and in
	// metrics. Required.
	Resolver *sources.Resolver
	// LeaseNamespace is where the lease of the one active replica is. Empty: no leader
	// is elected, for tests and for a Deployment with strategy Recreate.
	LeaseNamespace string
	// LeaseDuration is how long the lease lasts without being renewed, 0 for 60 s as in
	// HyperShift. How often it is renewed, and when its holder gives up, follow from it.
	LeaseDuration time.Duration
	// DryRun notes what would be written, in place of writing it. Nil: it is written. No leader
	// is elected then.
	DryRun *DryRun
	// MetricsAddr and HealthAddr are HOST:PORT to serve /metrics, and /healthz and
	// /readyz, on, in plain HTTP. Empty or "0": not served.
	MetricsAddr, HealthAddr string
	// Cache limits what is cached; Client what is read without the cache.
	Cache  cache.Options
	Client client.Options
	// Metrics is where metrics of the sources and Collectors are registered as long as the
	// manager runs; nil is the registry that MetricsAddr serves. One manager at a time can
	// be registered there.
	Metrics prometheus.Registerer
	// Collectors are the operator's own: of its chains.
	Collectors []prometheus.Collector
}

const (
	// shutdown is how long reconcilers have to end after a signal.
	shutdown = 20 * time.Second
	// cacheSyncTimeout is how long caches may take to fill: an API server that is away is
	// waited for, and a restart would not bring it back sooner.
	cacheSyncTimeout = 24 * time.Hour
)

// NewManager makes a manager that follows cfg.Resolver, active or not, and is ready
// while every source is in force as it stands. It starts nothing.
func NewManager(cfg Config) (manager.Manager, error) {
	if cfg.Resolver == nil {
		return nil, errors.New("an operator needs a resolver of mirror rules")
	}
	if cfg.MetricsAddr == "" {
		cfg.MetricsAddr = "0" // controller-runtime takes nothing for :8080
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.Registry
	}
	grace, unchecked := shutdown, true
	// The queue with priorities, which is the default, can block for ever when it is shut
	// down with items in it (kubernetes-sigs/controller-runtime#3538), and then the process
	// keeps the lease until grace is over. Nothing here has a priority.
	priorities := false
	options := manager.Options{
		Scheme:                  cfg.Scheme,
		MapperProvider:          newMapper,
		Logger:                  Logr(cfg.Log),
		Cache:                   cfg.Cache,
		Client:                  cfg.Client,
		Metrics:                 metricsserver.Options{BindAddress: cfg.MetricsAddr},
		HealthProbeBindAddress:  cfg.HealthAddr,
		GracefulShutdownTimeout: &grace,
		// Names of controllers are checked against a variable of the process, which knows
		// nothing of managers that have ended.
		Controller: config.Controller{SkipNameValidation: &unchecked, CacheSyncTimeout: cacheSyncTimeout, UsePriorityQueue: &priorities},
	}
	mgr, err := newManager(cfg, options)
	if err != nil {
		return nil, fmt.Errorf("setting up %s: %w", cfg.Name, err)
	}
	return mgr, errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("mirror-rules", readiness(cfg.Resolver)),
		mgr.Add(Everywhere(cfg.Resolver.Start)),
		mgr.Add(Everywhere(func(ctx context.Context) error { return report(ctx, cfg.Resolver, cfg.Metrics, cfg.Collectors...) })),
	)
}

// newManager makes a manager with a lease, if cfg says so, whose client writes nothing
// without it. That of a dry run writes nothing at all.
func newManager(cfg Config, options manager.Options) (manager.Manager, error) {
	if cfg.DryRun != nil {
		options.NewClient = func(config *rest.Config, o client.Options) (client.Client, error) {
			d, err := discovery.NewDiscoveryClientForConfigAndClient(config, o.HTTPClient)
			if err != nil {
				return nil, err
			}
			c, err := client.New(config, o)
			return cfg.DryRun.wrap(c, d.OpenAPIV3()), err
		}
		return manager.New(cfg.REST, options)
	}
	options.NewClient = func(config *rest.Config, o client.Options) (client.Client, error) {
		c, err := client.New(config, o)
		return leanClient{c}, err
	}
	if cfg.LeaseNamespace == "" {
		return manager.New(cfg.REST, options)
	}
	leader, lock, err := newLease(cfg.REST, cfg.LeaseNamespace, cfg.Name, cmp.Or(cfg.LeaseDuration, leaseDuration))
	if err != nil {
		return nil, err
	}
	writes := newFence(leader.holding)
	options.NewClient = func(config *rest.Config, o client.Options) (client.Client, error) {
		c, err := client.New(config, o)
		return fencedClient{leanClient{c}, writes}, err
	}
	options.LeaderElection, options.LeaderElectionResourceLockInterface = true, leader
	options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = new(leader.duration), new(leader.deadline), new(lookAtLease)
	// The process ends with the manager, so nothing goes on without the lease.
	options.LeaderElectionReleaseOnCancel = true
	mgr, err := manager.New(cfg.REST, options)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 client-go's lock takes no recorder of the new kind
	lock.LockConfig.EventRecorder = mgr.GetEventRecorderFor(cfg.Name)
	return mgr, mgr.Add(manager.RunnableFunc(writes.Start))
}

// Everywhere is a runnable that runs on replicas that wait for the lease, too.
type Everywhere func(ctx context.Context) error

// Start runs f.
func (f Everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection returns false.
func (Everywhere) NeedLeaderElection() bool { return false }
