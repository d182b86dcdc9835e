// Package assembly is one table: which sources and which layers each binary of
// this project is made of, in order, and why each is there. A program that
// embeds mirrorchain writes such a list of its own.
package assembly

import (
	"context"
	"io"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// Deps is what the process gives the parts: they take nothing from globals.
type Deps struct {
	// LookupEnv is os.LookupEnv or a stand-in.
	LookupEnv func(string) (string, bool)
	// Stdin is what "-s -" reads.
	Stdin io.Reader
	// HostedCluster chooses one of several HostedClusters whose policies files hold.
	HostedCluster string
	// Cluster is the cluster that policies are read from. All sources on clusters
	// have this type.
	Cluster cluster.Config
	// Observers are told what happens in the chain.
	Observers []chain.Observer
	// Health is what is known of registry hosts; nil is one of the chain's own.
	Health *health.Health
	// MaxRetryAfter is the longest that a lookup waits because a registry asks for it,
	// where the binary cares; 0 is the chain's default.
	MaxRetryAfter time.Duration
	// Verify returns the verifier of signatures in force, for binaries that ask for
	// signatures; nil is to ask for none.
	Verify func() provider.Verifier
	// MaxBytes bounds what each layer that remembers releases holds, for a process with
	// many chains. 0 is the layer's default.
	MaxBytes int64
	// State is what outlives the command line, with --cache-dir; nil if nothing does. The
	// operators have none: their pods have no volume that outlives them, and chains for
	// different CA bundles must not share one. The registry provider
	// that the layers stand around is given the same disk cache, as its Blobs.
	State chain.StateStore
}

// OperatorRetryAfter is the longest Retry-After that a lookup of the two operators that
// reconcile waits for: while it waits nothing else is reconciled by that worker. After a
// longer one the object comes back when that time is over.
const OperatorRetryAfter = time.Second

// verified returns layers, the first of which is cache, with a layer verify before them
// where signatures are asked for.
func (d Deps) verified(layers ...chain.Layer) []chain.Layer {
	if d.Verify == nil {
		return layers
	}
	// Above Cache, which keeps answers by the verifier; Mirrors has it judge each of them.
	return append([]chain.Layer{chain.Verify(chain.VerifyConfig{Current: d.Verify})}, layers...)
}

// Images configures the [chain.Images] of a binary that reads images beside its chain:
// what one finds out about hosts the other knows, and both tell the same observers.
func (d Deps) Images() chain.MirrorsConfig {
	return chain.MirrorsConfig{Health: d.Health, MaxRetryAfter: d.MaxRetryAfter, Observer: chain.ObserverFunc(func(ctx context.Context, e chain.Event) {
		for _, o := range d.Observers {
			o.Observe(ctx, e)
		}
	})}
}

// Row is one binary.
type Row struct {
	// Sources are what policies can be read from.
	Sources []sources.Factory
	// Reads are the specs of the sources that the binary reads, in order. Empty where
	// the user says what is read.
	Reads []string
	// Layers stand around the registry provider, the first one outermost.
	Layers []chain.Layer
}

// Mirrorchain returns the row of the command line: it looks up one image and ends.
func Mirrorchain(d Deps) Row {
	layers := []chain.Layer{
		// Outermost, so that -v tells of everything below.
		chain.Observe(chain.ObserveConfig{Observers: d.Observers}),
		// --registry-overrides in the components that are printed. Not Live: nothing is
		// pulled from the addresses of components here.
		chain.Translate(chain.TranslateConfig{}),
		// No Components: no component is replaced on a command line.
	}
	if d.State == nil {
		// No Cache and no Store: the process ends with its one lookup.
		// Innermost: it decides which endpoint the registry provider asks.
		layers = append(layers, chain.Mirrors(chain.MirrorsConfig{Health: d.Health}))
	} else {
		layers = append(layers,
			// --cache-dir: what the last run was told, while nobody answers this one.
			chain.Cache(chain.CacheConfig{State: d.State}),
			chain.Mirrors(chain.MirrorsConfig{Health: d.Health}),
			// What the last run read, after one small request or none.
			chain.Store(chain.StoreConfig{State: d.State}))
	}
	return Row{
		Sources: append([]sources.Factory{
			file.Factory(file.Config{Stdin: d.Stdin, HostedCluster: d.HostedCluster}), // -s idms.yaml: policies as admins and oc-mirror leave them
			env.Factory(d.LookupEnv), // -s env:OPENSHIFT_IMG_OVERRIDES: as an operator handed them on
		}, Cluster(d)...), // -s idms: and the like; -s cluster: for all of them
		Layers: layers,
	}
}

// HypershiftOperator returns the row of the operator that looks up releases for every
// hosted cluster and hands the management cluster's policies on. --registry-overrides is a
// source beside these.
func HypershiftOperator(d Deps) Row {
	kinds := Cluster(d)
	var reads []string
	for _, f := range kinds {
		reads = append(reads, f.Scheme+":")
	}
	return Row{
		Sources: kinds, // those of its own cluster, whose nodes run the control planes
		Reads:   reads, // all of them, always: each may come and go while it runs
		Layers: append([]chain.Layer{
			// Outermost, so that metrics and logs tell of everything below.
			chain.Observe(chain.ObserveConfig{Observers: d.Observers}),
			// --registry-overrides in the control-plane-operator's image. Not Live: it pulls no
			// component, its nodes do.
			chain.Translate(chain.TranslateConfig{}),
			// No Components: image-overrides are for the control-plane-operator to apply.
		}, d.verified(
			// Every reconcile looks up; releases change rarely, pull secrets and rules change the key.
			chain.Cache(chain.CacheConfig{MaxBytes: d.MaxBytes}),
			// What asks for patience gets it from the controller's queue.
			chain.Mirrors(chain.MirrorsConfig{Health: d.Health, MaxRetryAfter: OperatorRetryAfter}),
			// Beneath Mirrors: after a change of rules, 200 clusters of one release cost a small
			// request for each pull secret, not a layer.
			chain.Store(chain.StoreConfig{MaxBytes: d.MaxBytes}),
		)...),
	}
}

// Open opens what the row reads, in order.
func (r Row) Open(ctx context.Context) ([]policy.OverrideSource, error) {
	reg, err := sources.NewSchemes(r.Sources...)
	if err != nil {
		return nil, err
	}
	var out []policy.OverrideSource
	for _, spec := range r.Reads {
		src, err := reg.Open(ctx, spec)
		if err != nil {
			return nil, err
		}
		out = append(out, src)
	}
	return out, nil
}

// Cluster returns the sources that the nodes of a cluster read, and no more.
func Cluster(d Deps) []sources.Factory { return cluster.Kinds(d.Cluster) }
