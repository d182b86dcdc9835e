package cli

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/sourcefiles"
)

// go test reuses a result while the files that the tests looked at are the same.
// The binary's sources are read by another process, so this looks at them.
func TestResultDependsOnSources(t *testing.T) {
	sourcefiles.LookAt(t, []string{"../../cmd", "../../chain", "../../policy", "../../provider", "../../sources", "../../internal"}, ".go")
}
