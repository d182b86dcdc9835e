package test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/sourcefiles"
)

// go test reuses a result while the files that the tests looked at are the same.
// What `go list` and `go build` read is read by other processes, so this looks at
// every source file for them.
func TestResultDependsOnSources(t *testing.T) {
	sourcefiles.LookAt(t, []string{".."}, ".go", ".mod")
}
