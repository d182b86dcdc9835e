// Command build builds the servers that tests run against, those that are named
// or all. It does nothing where they are built already.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mirrorchain/mirrorchain/internal/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	modules := os.Args[1:]
	if len(modules) == 0 {
		modules = servers.All()
	}
	for _, m := range modules {
		if _, err := servers.Build(ctx, os.Stderr, m); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
