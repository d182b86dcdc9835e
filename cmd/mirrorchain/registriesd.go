package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// registriesD is the value of --registries-d, and what is in it.
type registriesD struct {
	dir  string
	read *nodefiles.RegistriesD // nil without the flag
}

func (r *registriesD) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.dir, "registries-d", "", "folder `DIR`, a copy of a node's /etc/containers/registries.d, which says where nodes look for signatures (default: on every mirror, as the machine-config operator writes it)")
	complete(cmd, "registries-d", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// open reads the folder.
func (r *registriesD) open() (err error) {
	if r.dir == "" {
		return nil
	}
	if r.read, err = nodefiles.ReadRegistriesD(os.DirFS(r.dir), r.dir); err != nil {
		return failure.Usagef("--registries-d %w", err)
	}
	return nil
}

// node returns a node with these files and policies. running are the releases that it is
// taken to run where policies do not say.
func (r *registriesD) node(base provider.ContentProvider, of *signatures.Policies, p *policies, running ...imageref.Ref) node.Node {
	n := node.Node{Base: base, Policies: of.Policies, Admission: node.NewAdmission(p.rules, p.loaded, running...)}
	if r.read != nil {
		n.Reads = r.read.Reads
	}
	return n
}

// noteAssumed says what a good answer rests on where no registries.d was read.
func (a *app) noteAssumed() {
	a.notef("assumed: nodes look for signatures on these mirrors, as the machine-config operator has them do; --registries-d DIR reads that from the files of a node")
}
