// Command mirrorchain says where the images of an OpenShift release are pulled
// from under given mirror policies, and what is in the release.
//
// main only calls [Run]; each command has a file of its own.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

// version is set by the linker (-ldflags "-X main.version=v1.2.3"); without it
// the build information of the module is used.
var version string

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // as long as the process
		sig := <-signals
		signal.Stop(signals) // a second one ends the process at once, however busy it is cleaning up
		cancel(caught{sig})
	}()

	// The reader of the output may go away before its end. Because the signal is caught,
	// and otherwise ignored, writing fails and the process can clean up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	name, args := invoked(os.Args[0], os.Args[1:])
	sys := System{Name: name, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv, UID: os.Getuid()}
	sys.Columns, sys.StdoutColumns = columns(os.Stderr), columns(os.Stdout)
	code := Run(ctx, sys, args)
	if c, ok := errors.AsType[caught](context.Cause(ctx)); ok && code == failure.ExitInterrupted && c.Signal == syscall.SIGTERM {
		code = failure.ExitTerminated
	}
	os.Exit(code)
}

// columns returns a function that returns the width of the terminal that f is, 0 if
// unknown. It returns nil where f is no terminal.
func columns(f *os.File) func() int {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return func() int {
		width, _, _ := term.GetSize(fd) // 0 with an error
		return width
	}
}

// caught is a signal that ended the run.
type caught struct{ os.Signal }

func (c caught) Error() string { return c.String() }
