package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/signatures"
	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
)

// imagePolicyFlag registers the flag that names image policies. unset says what holds
// without it.
func imagePolicyFlag(cmd *cobra.Command, value *[]string, unset string) {
	cmd.Flags().StringArrayVar(value, "image-policy", nil, "`FILE` with ClusterImagePolicies, cluster: for those of the cluster, or openshift-4.21, openshift-4.22 for what that release brings along; repeatable ("+unset+")")
	complete(cmd, "image-policy", cobra.FixedCompletions([]string{"openshift-4.21", "openshift-4.22", clusterScheme + ":"}, cobra.ShellCompDirectiveDefault))
}

// cluster opens the cluster that the flags name.
func (a *app) cluster() (signatures.Cluster, error) {
	return cluster.New(cluster.Config{Kubeconfig: a.opts.kubeconfig, Context: a.opts.kubeContext})
}

// imagePolicies reads the image policies that the flags name.
func (a *app) imagePolicies(ctx context.Context, specs []string) (*signatures.Policies, error) {
	p, err := signatures.ImagePolicies(ctx, specs, a.cluster)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	for _, n := range p.Notes {
		a.notef("%s", n)
	}
	return p, nil
}
