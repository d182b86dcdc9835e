package main

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/progress"
)

// progress shows on a terminal that something is under way. The function that it
// returns ends it and removes the line; it may be called twice.
func (a *app) progress(format string, args ...any) (stop func()) {
	what := output.OneLine(fmt.Sprintf(format, args...))
	return a.progressOf(func() string { return what })
}

// progressOf is progress with a text that changes.
func (a *app) progressOf(what func() string) (stop func()) {
	if a.sys.Columns == nil || a.opts.verbose || a.sys.getenv("TERM") == "dumb" {
		return func() {}
	}
	return progress.Start(a.err, a.sys.Columns, what)
}
