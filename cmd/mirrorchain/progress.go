package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	progressAfter = 500 * time.Millisecond // a moment is not worth a line
	progressEvery = 200 * time.Millisecond
	clearLine     = "\r\x1b[K"
)

// progress shows on a terminal that something is under way. The function that it
// returns ends it and removes the line; it may be called twice.
func (a *app) progress(format string, args ...any) (stop func()) {
	what := fmt.Sprintf(format, args...)
	return a.progressOf(func() string { return what })
}

// progressOf is progress with a text that changes.
func (a *app) progressOf(what func() string) (stop func()) {
	if !a.sys.Terminal || a.opts.verbose || a.sys.getenv("TERM") == "dumb" {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start := time.Now()
		select {
		case <-done:
			return
		case <-time.After(progressAfter):
		}
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for i := 0; ; i++ {
			fmt.Fprintf(a.err, "%s%c %s (%.0fs)", clearLine, `|/-\`[i%4], what(), time.Since(start).Seconds())
			select {
			case <-done:
				fmt.Fprint(a.err, clearLine)
				return
			case <-tick.C:
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

const barWidth = 24

// bar is how much of a whole is done: "[=====>    ] 87/191".
func bar(done, of int) string {
	n := barWidth
	if of > 0 {
		n = done * barWidth / of
	}
	full := strings.Repeat("=", n)
	if n < barWidth {
		full += ">"
	}
	return fmt.Sprintf("[%-*s] %d/%d", barWidth, full, done, of)
}
