package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// refArg is an image reference as the user wrote it, and what it means.
type refArg struct {
	Text string
	imageref.Ref
}

// parseRef errors are usage errors, with what to do about the usual mistakes.
func parseRef(s string) (refArg, error) {
	ref, err := imageref.Parse(s)
	if err == nil {
		return refArg{s, ref}, nil
	}
	switch {
	case s == "":
		err = errors.New("empty image reference; want REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG")
	case strings.Contains(s, "://"):
		err = errors.New(err.Error() + "; leave out the scheme, \"" + s[:strings.Index(s, "://")+3] + "\"")
	}
	return refArg{Text: s}, &usageError{err}
}

func oneRef(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usagef("'%s' needs an image reference", cmd.CommandPath())
	case 1:
		return nil
	}
	return usagef("'%s' takes one image reference, got %d arguments; quote what belongs together", cmd.CommandPath(), len(args))
}

func someRefs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("'%s' needs at least one image reference", cmd.CommandPath())
	}
	return nil
}

func archFlag(cmd *cobra.Command, arch *string) {
	cmd.Flags().StringVar(arch, "arch", "", "`PLATFORM` to choose from an index: ARCH or OS/ARCH[/VARIANT] (default linux on this program's own)")
	complete(cmd, "arch", cobra.FixedCompletions([]string{"amd64", "arm64", "ppc64le", "s390x"}, cobra.ShellCompDirectiveNoFileComp))
}

func parseArch(arch string) (provider.Platform, error) {
	if arch == "" {
		return provider.Platform{}, nil
	}
	p, err := provider.ParsePlatform(arch)
	if err != nil {
		return p, usagef("--arch: %w", err)
	}
	return p, nil
}
