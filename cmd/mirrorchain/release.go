package main

import (
	"github.com/spf13/cobra"
)

func (a *app) releaseCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Look up release images",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(a.releaseInfoCmd(), a.releaseCheckCmd(), a.releaseVerifyCmd(), a.releaseDiffCmd(), a.releaseExtractCmd())
	return showing(cmd)
}
