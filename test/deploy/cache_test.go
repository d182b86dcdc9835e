package deploy_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/sourcefiles"
)

// go test reuses a result while the files that the tests looked at are the same. What is built into
// programs and images, and the manifests, are read by other processes, so this looks at them.
func TestResultDependsOnSources(t *testing.T) {
	sourcefiles.LookAt(t, []string{"../../cmd", "../../chain", "../../deploy", "../../internal/dist", "../../policy", "../../provider", "../../sources"}, ".go", ".yaml")
}
