// Package workdir gives the tests of a package a folder that lasts as long as all of them, for what
// is made once, such as programs that several tests run.
package workdir

import (
	"fmt"
	"os"
	"testing"
)

// Run runs m with a new temporary folder, whose name it puts into dir before. It removes the folder
// and returns the code to exit with. pattern is that of [os.MkdirTemp].
func Run(m *testing.M, pattern string, dir *string) (code int) {
	var err error
	if *dir, err = os.MkdirTemp("", pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = m.Run()
	if err := os.RemoveAll(*dir); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}
