// Command ignition-validate reads an Ignition config from standard input with the parser
// that nodes have, and fails if they would refuse it.
package main

import (
	"fmt"
	"io"
	"os"

	ignition "github.com/coreos/ignition/v2/config/v3_2"
)

func main() {
	raw, err := io.ReadAll(os.Stdin)
	if err == nil {
		_, report, invalid := ignition.Parse(raw)
		fmt.Fprint(os.Stderr, report.String())
		err = invalid
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
