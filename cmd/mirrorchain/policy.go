package main

import "github.com/spf13/cobra"

func (a *app) policyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, compare, convert and render mirror policies",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(a.policyDiffCmd(), a.policyLintCmd(), a.policyConvertCmd(), a.policyRenderCmd())
	return showing(cmd)
}
