package hostedcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/internal/atomicfile"
)

// Where the init container of HyperShift's Deployment finds the cluster's authorities, and
// where the operator's container finds what it wrote.
const (
	managedAuthorities = "/var/run/ca-trust/tls-ca-bundle.pem"
	writtenAuthorities = "/trust-bundle/tls-ca-bundle.pem"
)

// initCommand returns the command of the init container of HyperShift's Deployment. It hands the
// authorities that are mounted there to the operator's container, which trusts them beside the
// system's. There is nothing else to prepare.
func initCommand(from, to string) *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Copy the cluster's CAs to the operator's container, as an init container; optional", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bundle, err := os.ReadFile(from)
			if errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing to prepare")
				return nil
			}
			if err != nil {
				return err
			}
			dir, err := os.OpenRoot(filepath.Dir(to))
			if errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(cmd.OutOrStdout(), "nothing to prepare: %s is not mounted\n", filepath.Dir(to))
				return nil
			}
			if err != nil {
				return err
			}
			defer dir.Close()
			if err := atomicfile.Write(dir, filepath.Base(to), bundle, 0o644); err != nil {
				return fmt.Errorf("copying the cluster's authorities: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the authorities of %s are in %s\n", from, to)
			return nil
		},
	}
}
