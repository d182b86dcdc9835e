package chain

import "github.com/mirrorchain/mirrorchain/provider/imageref"

// DefaultConfig configures [Default]. The zero value works. Each field configures one
// layer or several; the layers have their own defaults.
type DefaultConfig struct {
	// Observers are told what happens in the chain.
	Observers []Observer
	// Translate configures [Translate].
	Translate TranslateConfig
	// Components are the replacements of [Components], by component name.
	Components map[string]imageref.Ref
	// Verify configures [Verify]. Without Current there is no such layer.
	Verify VerifyConfig
	// Cache configures [Cache].
	Cache CacheConfig
	// Mirrors configures [Mirrors].
	Mirrors MirrorsConfig
	// Store configures [Store].
	Store StoreConfig
	// State is the StateStore of the cache and of the store, for programs that keep
	// content on disk. If it is set, it replaces those in Cache and Store.
	State StateStore
}

// Default returns all layers of this package in the usual order, for [New]: observe,
// translate, components, verify if it is configured, cache, mirrors, store. The base must
// be a [github.com/mirrorchain/mirrorchain/provider.Opener], as that of package
// provider/registry is.
func Default(cfg DefaultConfig) []Layer {
	if cfg.State != nil {
		cfg.Cache.State, cfg.Store.State = cfg.State, cfg.State
	}
	layers := []Layer{
		Observe(ObserveConfig{Observers: cfg.Observers}),
		Translate(cfg.Translate),
		Components(ComponentsConfig{Images: cfg.Components}),
	}
	if cfg.Verify.Current != nil {
		layers = append(layers, Verify(cfg.Verify))
	}
	return append(layers, Cache(cfg.Cache), Mirrors(cfg.Mirrors), Store(cfg.Store))
}
