package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is some of the common flags.
type flagGroup struct {
	title string
	names []string
}

const (
	policyFlags   = "Policy flags"
	registryFlags = "Registry flags"
	outputFlags   = "Output flags"
)

// commonFlags returns the common flags, in the groups in which help shows them.
func commonFlags() []flagGroup {
	return []flagGroup{
		{policyFlags, []string{"source", "kubeconfig", "context", "registry-overrides", "insecure-registry", "blocked-registry", "hosted-cluster", "strict", "tags-follow-digest-rules"}},
		{registryFlags, []string{"authfile", "registry-config", "cert-dir", "tls-verify", "timeout", "endpoint-timeout"}},
		{outputFlags, []string{"output", "full", "verbose"}},
	}
}

// helpWidth is where help texts of flags are wrapped.
const helpWidth = 100

// groupsKey annotates a command with the groups or the flags that it shows of the common
// ones. A command without it shows all.
const groupsKey = "common-flags"

// showing limits the common flags in a command's help to those that matter to it.
func showing(cmd *cobra.Command, groupsOrFlags ...string) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = make(map[string]string)
	}
	cmd.Annotations[groupsKey] = strings.Join(groupsOrFlags, "\n")
	return cmd
}

// usage prints the part of a command's help that follows its description.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	commandList(&b, "Commands", cmd, (*cobra.Command).IsAvailableCommand)
	commandList(&b, "Help topics", cmd, (*cobra.Command).IsAdditionalHelpTopicCommand)

	groups := commonFlags()
	local := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.ContainsFunc(groups, func(g flagGroup) bool { return slices.Contains(g.names, f.Name) }) {
			local.AddFlag(f)
		}
	})
	flagList(&b, "Flags", local)
	show, limited := cmd.Annotations[groupsKey]
	shown := strings.Split(show, "\n")
	for _, g := range groups {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		for _, name := range g.names {
			if !limited || slices.Contains(shown, g.title) || slices.Contains(shown, name) {
				flags.AddFlag(cmd.Flag(name))
			}
		}
		flagList(&b, g.title, flags)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n'%s COMMAND --help' says more about a command.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}

func commandList(b *strings.Builder, title string, cmd *cobra.Command, want func(*cobra.Command) bool) {
	for _, c := range cmd.Commands() {
		if !want(c) {
			continue
		}
		if title != "" {
			fmt.Fprintf(b, "\n%s:\n", title)
			title = ""
		}
		fmt.Fprintf(b, "  %-12s %s\n", c.Name(), c.Short)
	}
}

func flagList(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		flags.SortFlags = false
		fmt.Fprintf(b, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
	}
}

// topics returns help texts that belong to no command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "sources",
			Short: "What -s can name, and what is read of it",
			Long: `Policies are given with -s SPEC, as often as there are places. They are merged as a
cluster merges its objects; the order of the -s flags matters only where several
registries.conf have a table with one prefix: the first one counts.

  file:PATH, or PATH alone
      YAML or JSON with ImageDigestMirrorSet, ImageTagMirrorSet,
      ImageContentSourcePolicy or image.config.openshift.io/cluster objects, several
      documents and lists too; an install-config; a bare list of imageContentSources;
      or a registries.conf in TOML, with the *.conf files in PATH.d after it. The content
      decides, not the name.
  file:DIRECTORY, or DIRECTORY alone
      Its *.yaml, *.yml and *.json files, and a registries.conf with the *.conf
      files in registries.conf.d; without all these, its *.conf files as drop-ins.
      Files whose name begins with a dot, and directories in it, are not read.
  file:-, or - alone
      Standard input, or through a path such as <(oc get idms -o yaml) a pipe.
  env:NAME
      A variable in the form of OPENSHIFT_IMG_OVERRIDES:
      SOURCE=MIRROR,SOURCE=MIRROR,...
  icsp:, idms:, itms:, imageconfig:, or cluster: for all of them
      The objects of these kinds that a cluster has now; imageconfig: are the insecure
      and blocked registries of image.config.openshift.io/cluster. --kubeconfig and
      --context choose the cluster.

Objects that are no mirror policies are skipped and counted. A file that cannot be read
or understood is an error, because an answer without it would be wrong. The error names
the file, the object and the entry.`,
		},
		{
			Use:   "credentials",
			Short: "Where credentials and certificates are looked for",
			Long: `Credentials are looked for in these files, in this order:

  --authfile FILE, which is --registry-config FILE too
  $REGISTRY_AUTH_FILE
  $XDG_RUNTIME_DIR/containers/auth.json
  /run/containers/$UID/auth.json
  $XDG_CONFIG_HOME/containers/auth.json, or ~/.config/containers/auth.json
  $DOCKER_CONFIG/config.json
  ~/.docker/config.json

For each endpoint the first file with an entry for it is used, and in that file the
longest entry. A file named by --authfile or $REGISTRY_AUTH_FILE must exist.
Credential helpers (credHelpers, credsStore) are run for the registries that are
asked, and for no other. -v says for each endpoint which entry was used, and never
what it holds.

Certificates are read from REGISTRY[:PORT] in the directories that --cert-dir names,
or else in ~/.config/containers/certs.d, /etc/containers/certs.d and
/etc/docker/certs.d: *.crt are CAs, NAME.cert with NAME.key a client certificate.
Beside them the system's CAs are trusted, or those in $SSL_CERT_FILE.

$HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY are honoured.`,
		},
	}
}
