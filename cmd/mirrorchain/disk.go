package main

import (
	"fmt"
	"path/filepath"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

// disk opens the cache in dir, or if that is not given in the one of the settings. It
// returns nil if there is neither. Close it.
func (a *app) disk(dir string, given bool) (*diskcache.Cache, error) {
	from := "--cache-dir"
	if !given {
		s, err := a.settings()
		if err != nil {
			return nil, err
		}
		dir, from = s.CacheDir.Value, s.CacheDir.From
	}
	if dir == "" {
		return nil, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	d, err := diskcache.Open(diskcache.Config{Dir: abs, OnError: func(err error) { a.warnf("%v", err) }})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return d, nil
}

// row returns this binary's row of the assembly table, with what outlives the process.
func (a *app) row(disk *diskcache.Cache) assembly.Row {
	deps := a.deps()
	if disk != nil {
		deps.State = disk.State()
	}
	return assembly.Mirrorchain(deps)
}
