// Command hypershift-operator reconciles the HostedClusters of a management
// cluster: it looks their releases up through the cluster's mirror policies, and
// hands these on to every control plane.
package main

import (
	"os"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcluster"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(operator.Main(hostedcluster.Command(version))) }
