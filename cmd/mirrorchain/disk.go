package main

import (
	"fmt"
	"path/filepath"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

// cacheDirVariable names the directory if --cache-dir does not.
const cacheDirVariable = "MIRRORCHAIN_CACHE_DIR"

// disk opens the cache in dir, or in the directory that the environment names. It returns
// nil if there is neither. Close it.
func (a *app) disk(dir string, given bool) (*diskcache.Cache, error) {
	from := "--cache-dir"
	if !given {
		dir, from = a.sys.getenv(cacheDirVariable), "$"+cacheDirVariable
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
