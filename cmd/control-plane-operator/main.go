// Command control-plane-operator runs in the namespace of one hosted control plane.
// It looks up the releases that its HostedControlPlane names, through the mirrors
// that it was handed, says in the status what it found, and runs the ignition
// server, handing its rules on. Flags and environment are HyperShift's.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// version is set by the linker.
var version = "dev"

func main() {
	cmd := &cobra.Command{
		Use: hostedcontrolplane.Name, Short: "the operator of one hosted control plane", Version: version,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(
		runCommand(),
		featureGateCommand(),
		controller.Command(version),
	)
	os.Exit(operator.Main(cmd))
}
