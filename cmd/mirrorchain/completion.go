package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

// plainUsages takes the backticks out of the help of all flags: cobra prints it as it
// is beside a completion, where nothing shows which word is the placeholder.
func plainUsages(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") }
	cmd.PersistentFlags().VisitAll(plain)
	cmd.Flags().VisitAll(plain)
	for _, c := range cmd.Commands() {
		plainUsages(c)
	}
}

// contexts completes the contexts of the kubeconfig that --kubeconfig or the
// environment names.
func (a *app) contexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	config, err := a.loadingRules().Load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(config.Contexts)), cobra.ShellCompDirectiveNoFileComp
}

// sourceNames completes what -s names: schemes, and files that may hold policies.
func (a *app) sourceNames(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, f := range append(assembly.Mirrorchain(a.deps()).Sources, wholeCluster(a.deps())) {
		if name := f.Scheme + ":"; strings.HasPrefix(name, typed) {
			names = append(names, name)
		}
	}
	if typed != "" {
		return names, cobra.ShellCompDirectiveDefault // files, where no scheme begins like this
	}
	entries, _ := os.ReadDir(".")
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && !strings.HasPrefix(name, ".") {
			names = append(names, name+"/")
		} else if slices.Contains([]string{".yaml", ".yml", ".json", ".conf"}, filepath.Ext(name)) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

func (a *app) completionCmd() *cobra.Command {
	return only(&cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a shell's completion script",
		Example: `  # for this shell
  source <(mirrorchain completion bash)

  # for good
  mirrorchain completion bash > /etc/bash_completion.d/mirrorchain
  mirrorchain completion zsh > "${fpath[1]}/_mirrorchain"
  mirrorchain completion fish > ~/.config/fish/completions/mirrorchain.fish`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return failure.Usagef("want one of bash, zsh, fish, powershell")
			}
			return a.noScript()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var out bytes.Buffer
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&out, true)
			case "zsh":
				err = root.GenZshCompletion(&out)
			case "fish":
				err = root.GenFishCompletion(&out, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&out)
			}
			if err != nil {
				return fmt.Errorf("making the completion script: %w", err)
			}
			if _, err := a.sys.Stdout.Write(out.Bytes()); err != nil {
				return fmt.Errorf("writing the completion script: %w", err)
			}
			return nil
		},
	})
}

func helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND...]",
		Short:   "Print the help of a command or a topic",
		Example: "  mirrorchain help release info",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			at, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range at.Commands() {
				if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return group(at, rest)
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failure.Usagef("'%s' takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
