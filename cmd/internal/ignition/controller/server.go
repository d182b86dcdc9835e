package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	chainmetrics "github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/httpserver"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Options are the flags of the server, as they were given, and its environment.
type Options struct {
	// Namespace of the control plane; MY_NAMESPACE. Required.
	Namespace string
	// Platform of the hosted cluster, as in its API; --platform.
	Platform string
	// RegistryOverrides is the value of that flag.
	RegistryOverrides string
	// OverridesFile is the mounted document that rules are read from; --overrides-file.
	// Empty: they are in the environment.
	OverridesFile string
	// WorkDir is where payloads are made and kept; --work-dir. It belongs to one server
	// at a time. Required.
	WorkDir string
	// CertFile and KeyFile are the serving certificate; --cert-file, --key-file. Required.
	CertFile, KeyFile string
	// Addr is where payloads are served; --addr. "" is 0.0.0.0:9090.
	Addr string
	// FeatureGate and OSRelease are files; see [payload.Config].
	FeatureGate, OSRelease string
	// Clients is what programs of the release are given to ask registries themselves.
	Clients payload.Clients
	// FileCache bounds the files of images that are kept in WorkDir, in bytes; 0 is 2 GiB.
	FileCache int64
	// Parallel is how many payloads are made at once; 0 is 4.
	Parallel int
	// LookupEnv is os.LookupEnv or a stand-in.
	LookupEnv func(string) (string, bool)
}

// Base reads registries.
type Base interface {
	provider.ReleaseProvider
	provider.ImageProvider
}

// Process is what a server is made of.
type Process struct {
	Options Options
	// REST is the connection to the cluster.
	REST *rest.Config
	Base Base
	// Signatures are those that releases and images need, nil for none. They need a Base
	// that is a [provider.ContentProvider].
	Signatures *operator.Signatures
	// Log is the server's; nil is silent.
	Log *zap.Logger
	// Reaper kills what programs of the release leave behind; nil is nobody. It is for main:
	// a process that has one starts no other programs.
	Reaper *process.Reaper
	// MetricsAddr and HealthAddr are those of [operator.Config].
	MetricsAddr, HealthAddr string
	// Metrics is where metrics are registered; nil is the registry that MetricsAddr
	// serves.
	Metrics prometheus.Registerer
	// Listener, if not nil, is used instead of Options.Addr.
	Listener net.Listener
	// ReadyWithin is when /healthz says yes at the latest, even if not every token Secret
	// that was there at the start had its turn; 0 is 3 min.
	ReadyWithin time.Duration
	// Linger is how long requests are taken after the end has begun, while /healthz says
	// no: so long it takes until nobody is sent here any more.
	Linger time.Duration
}

// How long the end takes: less than the ten seconds that the Deployment grants.
const (
	linger = 2 * time.Second // for who is still sent here
	drain  = 6 * time.Second // for requests and reports under way after that, at most
)

// Server is the ignition server. It holds its directories and listens from New on.
type Server struct {
	store    *tokens.Store
	files    *filecache.Cache
	manager  manager.Manager
	https    *httpserver.Server
	metrics  *Metrics
	registry prometheus.Registerer
}

// New reads the options, opens what an earlier server left in WorkDir, and listens. The
// API server need not answer yet.
func New(ctx context.Context, p Process) (_ *Server, err error) {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	if p.Metrics == nil {
		p.Metrics = metrics.Registry
	}
	o := p.Options
	o.Parallel = cmp.Or(o.Parallel, 4)
	switch {
	case o.Namespace == "":
		return nil, errors.New("MY_NAMESPACE is not set: set it to the namespace of the control plane")
	case o.WorkDir == "":
		return nil, errors.New("--work-dir: want a directory to make payloads in")
	case o.CertFile == "" || o.KeyFile == "":
		return nil, errors.New("--cert-file and --key-file: want the serving certificate and its key")
	}
	s := &Server{registry: p.Metrics}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.store, err = tokens.OpenStore(tokens.StoreConfig{Dir: filepath.Join(o.WorkDir, "tokens"), Log: p.Log}); err != nil {
		return nil, err
	}
	if s.files, err = filecache.Open(filecache.Config{Dir: filepath.Join(o.WorkDir, "cache"), MaxBytes: o.FileCache}); err != nil {
		return nil, err
	}
	s.metrics = NewMetrics(s.store)
	counts, err := chainmetrics.New(nil)
	if err != nil {
		return nil, err
	}
	hosts := health.New(health.Config{})
	resolver, generator, err := pipeline(ctx, p, o, s.files, assembly.Deps{
		LookupEnv: o.LookupEnv, Observers: []chain.Observer{chain.LogObserver(operator.Slog(p.Log)), counts}, Health: hosts,
		// If a registry asks for a longer wait the Secret is tried later, and keeps no slot.
		MaxRetryAfter: time.Second,
	})
	if err != nil {
		return nil, err
	}
	scheme, err := operator.NewScheme()
	if err != nil {
		return nil, err
	}
	s.manager, err = operator.NewManager(operator.Config{
		Name: Name, REST: p.REST, Scheme: scheme, Log: p.Log, Resolver: resolver,
		MetricsAddr: p.MetricsAddr, HealthAddr: p.HealthAddr,
		Cache: cacheOptions(o.Namespace), Client: clientOptions(), Metrics: p.Metrics,
		Collectors: []prometheus.Collector{counts, chainmetrics.Hosts(hosts.Hosts, resolver.Current)},
	})
	if err != nil {
		return nil, err
	}
	c := s.manager.GetClient()
	r := &Reconciler{
		Client: c, Platform: o.Platform, Store: s.store, Generator: generator,
		Release: NewReleaseInfo(c, o.Namespace), Metrics: s.metrics, Rules: resolver.Current, Log: p.Log,
	}
	if err := r.SetupWithManager(s.manager, resolver, o.Namespace, o.Parallel); err != nil {
		return nil, err
	}
	healthy := r.hadTurns(cmp.Or(p.ReadyWithin, 3*time.Minute))
	ev := newEvents(c, o.Namespace, p.Log)
	s.https, err = httpserver.New(httpserver.Config{
		Address: o.Addr, Listener: p.Listener, CertFile: o.CertFile, KeyFile: o.KeyFile,
		Payloads: s.store, Metrics: s.metrics, Linger: p.Linger, Drain: drain, Log: p.Log, Healthy: healthy,
		// Without rules no payload can be made. Those of an earlier process are served.
		Ready: func() bool { return healthy() && (resolver.Current() != nil || s.store.Len() > 0) },
		Hooks: httpserver.Hooks{Served: ev.served, Reached: ev.reached},
	})
	return s, err
}

// hadTurns returns a function that reports whether every token Secret that was there at
// the start had its turn, or limit has passed. Until then, in a rollout, nodes should ask
// the previous server.
func (r *Reconciler) hadTurns(limit time.Duration) func() bool {
	start := time.Now()
	return func() bool { return r.first.complete() || time.Since(start) >= limit }
}

// pipeline returns the rules that the server was handed, and a generator that uses them.
func pipeline(ctx context.Context, p Process, o Options, files *filecache.Cache, deps assembly.Deps) (*sources.Resolver, payload.Generator, error) {
	flag, err := handover.ParseRegistryOverrides(o.RegistryOverrides, "--registry-overrides")
	if err != nil {
		return nil, nil, err
	}
	if deps.Verify, err = p.Signatures.OfCluster(p.Base); err != nil {
		return nil, nil, err
	}
	row := assembly.IgnitionServer(deps)
	srcs, err := row.HandedOver(ctx, o.OverridesFile, flag)
	if err != nil {
		return nil, nil, err
	}
	resolver, err := operator.NewResolver(ctx, p.Log, srcs...)
	if err != nil {
		return nil, nil, err
	}
	rules := operator.TagsFollow(resolver.Current)
	releases, err := chain.New(p.Base, rules, row.Layers...)
	if err != nil {
		return nil, nil, fmt.Errorf("the chain: %w", err)
	}
	images, err := chain.Images(p.Base, rules, deps.Images())
	if err != nil {
		return nil, nil, err
	}
	if deps.Verify != nil {
		if images, err = chain.VerifyImages(images, deps.Verify); err != nil {
			return nil, nil, err
		}
	}
	generator, err := payload.New(payload.Config{
		Releases: releases, Images: images, Rules: rules, Files: files, WorkDir: o.WorkDir,
		FeatureGate: o.FeatureGate, OSRelease: o.OSRelease, Clients: o.Clients, Reaper: p.Reaper, Parallel: o.Parallel, Log: p.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	return resolver, generator, nil
}

// Addr returns the address at which payloads are served.
func (s *Server) Addr() net.Addr { return s.https.Addr() }

// Start serves and reconciles until ctx ends, and returns nil then, or until a part of it
// cannot go on. Payloads of an earlier server are served from the start, whether or not
// the API server answers. Call it once. When it returns, nothing of the server is left.
func (s *Server) Start(ctx context.Context) error {
	defer s.close()
	remove, err := s.metrics.Register(s.registry)
	if err != nil {
		return err
	}
	defer remove()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.store.Start(ctx) })
	g.Go(func() error { return s.https.Start(ctx) })
	g.Go(func() error { return s.manager.Start(ctx) })
	return g.Wait()
}

func (s *Server) close() {
	if s.files != nil {
		_ = s.files.Close() // its files are complete at any time
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}
