package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
)

// featureGateCommand is the init container of the ignition server's pod. The operator
// has nobody else's image run there, and ours has no shell.
func featureGateCommand() *cobra.Command {
	return &cobra.Command{
		Use: hostedcontrolplane.WriteFeatureGate + " FILE", Short: "write $" + hostedcontrolplane.FeatureGateEnv + " to a file",
		Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text := os.Getenv(hostedcontrolplane.FeatureGateEnv)
			if text == "" {
				return fmt.Errorf("$%s is empty: set it to the YAML of the FeatureGate", hostedcontrolplane.FeatureGateEnv)
			}
			return replace(args[0], text)
		},
	}
}

// replace writes text to path, which a reader finds as it was or whole: the container
// may be started again beside a server that reads.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // where it still is
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
