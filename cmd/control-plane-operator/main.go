// Command control-plane-operator runs in the namespace of one hosted control plane.
// It looks up the releases that its HostedControlPlane names, through the mirrors
// that it was handed, reports in the status what it found, and runs the ignition
// server, handing its rules on. Flags and environment are HyperShift's.
package main

import (
	"os"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(operator.Main(hostedcontrolplane.Command(version))) }
