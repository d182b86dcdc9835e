// Command ignition-server makes the Ignition payloads of a hosted cluster's nodes, with
// the programs of their release, and serves them to nodes that boot. It is the same as
// "control-plane-operator ignition-server".
package main

import (
	"os"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(operator.Main(controller.Command(version))) }
