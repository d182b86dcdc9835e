package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// imagePolicyFlag registers the flag that names image policies. unset says what holds
// without it.
func imagePolicyFlag(cmd *cobra.Command, value *[]string, unset string) {
	cmd.Flags().StringArrayVar(value, "image-policy", nil, "`FILE` with ClusterImagePolicies, cluster: for those of the cluster, or openshift-4.21, openshift-4.22 for the one in that release; repeatable ("+unset+")")
	complete(cmd, "image-policy", cobra.FixedCompletions([]string{"openshift-4.21", "openshift-4.22", clusterScheme + ":"}, cobra.ShellCompDirectiveDefault))
}

// cluster opens the cluster that the flags name.
func (a *app) cluster() (*cluster.Cluster, error) {
	return cluster.New(cluster.Config{Kubeconfig: a.opts.kubeconfig, Context: a.opts.kubeContext})
}

// imagePolicies reads the image policies that the flags name.
func (a *app) imagePolicies(ctx context.Context, specs []string) (*signatures.Policies, error) {
	named, err := signatures.ImagePolicies(specs)
	if err != nil {
		return nil, err
	}
	var found []sigstore.ImagePolicy
	if named.Cluster {
		if found, err = a.clusterImagePolicies(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("--image-policy %s: %w", clusterScheme, err)
		}
	}
	p, err := named.Policies(found...)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		a.notef("%s", n)
	}
	return p, nil
}

// clusterImagePolicies leaves out those that concern the pods of one namespace.
func (a *app) clusterImagePolicies(ctx context.Context) ([]sigstore.ImagePolicy, error) {
	c, err := a.cluster()
	if err != nil {
		return nil, err
	}
	all, err := c.ImagePolicies(ctx)
	return slices.DeleteFunc(all, func(p sigstore.ImagePolicy) bool {
		if p.Kind != "ImagePolicy" {
			return false
		}
		a.notef("the cluster's ImagePolicy %s/%s is left out; it concerns the pods of its own namespace", p.Metadata.Namespace, p.Metadata.Name)
		return true
	}), err
}
