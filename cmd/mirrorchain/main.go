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

	// Whoever reads the output may go before its end. Caught, and otherwise left alone,
	// this makes writing fail instead of ending the process with things to clean up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	code := Run(ctx, System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		LookupEnv: os.LookupEnv, UID: os.Getuid(), Terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}, os.Args[1:])
	if c, ok := errors.AsType[caught](context.Cause(ctx)); ok && code == exitInterrupted && c.Signal == syscall.SIGTERM {
		code = exitTerminated
	}
	os.Exit(code)
}

// caught is a signal that ended the run.
type caught struct{ os.Signal }

func (c caught) Error() string { return c.String() }
