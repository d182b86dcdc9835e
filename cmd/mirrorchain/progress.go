package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/progress"
)

// progress shows on a terminal that something is under way. The function that it
// returns ends it and removes the line; it may be called twice.
func (a *app) progress(format string, args ...any) (stop func()) {
	what := output.OneLine(fmt.Sprintf(format, args...))
	return a.progressOf(func() string { return what })
}

// progressOf does what progress does, with a text that changes.
func (a *app) progressOf(what func() string) (stop func()) {
	if !a.redraws() {
		return func() {}
	}
	return progress.Start(a.err, a.sys.Columns, what)
}

// redraws reports whether stderr is a terminal on which a line can be replaced.
func (a *app) redraws() bool {
	return a.sys.Columns != nil && !a.opts.verbose && a.sys.getenv("TERM") != "dumb"
}

// countdown shows how much of total is done, how many of that are bad, and how long the rest
// takes: on a terminal in one line that changes, elsewhere in a line every few seconds. With
// -v every request has a line already.
func (a *app) countdown(total int, done, bad *atomic.Int64) (stop func()) {
	start := time.Now()
	tail := func() string {
		text := progress.Pace(int(done.Load()), total, time.Since(start))
		if n := bad.Load(); n > 0 {
			text += fmt.Sprintf(", %d not available", n)
		}
		return text
	}
	switch {
	case a.redraws():
		return a.progressOf(func() string { return "checking " + progress.Bar(int(done.Load()), total) + tail() })
	case a.opts.verbose:
		return func() {}
	}
	return progress.Lines(a.err, func() string { return fmt.Sprintf("checking: %d of %d", done.Load(), total) + tail() })
}
