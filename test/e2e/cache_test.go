package e2e

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/sourcefiles"
)

// go test reuses a result while the files that the tests looked at are the same. The
// binaries' sources and the manifests are read by other processes, so this looks at
// them.
func TestResultDependsOnSources(t *testing.T) {
	sourcefiles.LookAt(t, []string{"../../cmd", "../../chain", "../../provider", "../../sources", "../../policy", "../../deploy", "../../internal/test/machineconfig"}, ".go", ".yaml")
}
