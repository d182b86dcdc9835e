package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
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
		{registryFlags, []string{"authfile", "registry-config", "cert-dir", "certificate-authority", "tls-verify", "timeout", "endpoint-timeout"}},
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
	fmt.Fprintf(&b, "Usage:\n  %s\n", usageLine(cmd))
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	commandList(&b, "Commands", cmd, (*cobra.Command).IsAvailableCommand)
	commandList(&b, "Help topics", cmd, (*cobra.Command).IsAdditionalHelpTopicCommand)

	for _, g := range shownFlags(cmd) {
		fmt.Fprintf(&b, "\n%s:\n%s", g.title, g.flags.FlagUsagesWrapped(helpWidth))
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

// usageLine returns how a command is typed.
func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

// titledFlags are flags that help shows below one title.
type titledFlags struct {
	title string
	flags *pflag.FlagSet
}

// shownFlags returns the flags that the help of a command shows, its own first. No group is empty.
func shownFlags(cmd *cobra.Command) []titledFlags {
	var all []titledFlags
	add := func(title string, flags *pflag.FlagSet) {
		if flags.HasAvailableFlags() {
			flags.SortFlags = false
			all = append(all, titledFlags{title, flags})
		}
	}
	groups := commonFlags()
	local := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.ContainsFunc(groups, func(g flagGroup) bool { return slices.Contains(g.names, f.Name) }) {
			local.AddFlag(f)
		}
	})
	add("Flags", local)
	show, limited := cmd.Annotations[groupsKey]
	shown := strings.Split(show, "\n")
	for _, g := range groups {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		for _, name := range g.names {
			if !limited || slices.Contains(shown, g.title) || slices.Contains(shown, name) {
				flags.AddFlag(cmd.Flag(name))
			}
		}
		add(g.title, flags)
	}
	return all
}

// topics returns help texts that belong to no command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "sources",
			Short: "What -s can name, and what is read there",
			Long: `-s SPEC names a place with policies, and can be repeated. The policies of all places are
merged as a cluster merges its objects. The order of the -s flags matters only if several
registries.conf have a table with the same prefix: the first one counts.

  file:PATH, or PATH alone
      YAML or JSON with ImageDigestMirrorSet, ImageTagMirrorSet,
      ImageContentSourcePolicy or image.config.openshift.io/cluster objects, several
      documents and lists too; an install-config; a bare list of imageContentSources;
      or a registries.conf in TOML, with the *.conf files in PATH.d after it. The content
      decides, not the name.
  file:DIRECTORY, or DIRECTORY alone
      Its *.yaml, *.yml and *.json files, and a registries.conf with the *.conf
      files in registries.conf.d. If it has none of these, its *.conf files are read as
      drop-ins. Files whose name begins with a dot, and other directories in it, are not
      read.
  file:-, or - alone
      Standard input. A pipe can also be a path, such as <(oc get idms -o yaml).
  env:NAME
      A variable in the form of OPENSHIFT_IMG_OVERRIDES:
      SOURCE=MIRROR,SOURCE=MIRROR,...
  icsp:, idms:, itms:, imageconfig:, or cluster: for all of them
      The objects of these kinds that a cluster has now. imageconfig: reads the insecure
      and blocked registries of image.config.openshift.io/cluster. --kubeconfig and
      --context choose the cluster.

Objects that are no mirror policies are skipped and counted. A file that cannot be read
or understood is an error, because an answer without it would be wrong. The error names
the file, the object and the entry.`,
		},
		{
			Use:   "disk",
			Short: "What --from can read",
			Long:  diskTopic,
		},
		{
			Use:   "credentials",
			Short: "Where credentials and certificates are looked for",
			Long: `Credentials are looked for in these files, in this order:

  --authfile FILE, or --registry-config FILE, which is the same
  $REGISTRY_AUTH_FILE
  $XDG_RUNTIME_DIR/containers/auth.json
  /run/containers/$UID/auth.json
  $XDG_CONFIG_HOME/containers/auth.json, or ~/.config/containers/auth.json
  $DOCKER_CONFIG/config.json
  ~/.docker/config.json

For each endpoint the first file with an entry for it is used, and in that file the
longest entry. A file named by --authfile or $REGISTRY_AUTH_FILE must exist.
Credential helpers (credHelpers, credsStore) are run only for the registries that are
asked. -v prints for each endpoint which entry was used, and never its content.

Certificates are read from REGISTRY[:PORT] in the directories that --cert-dir names,
or else in ~/.config/containers/certs.d, /etc/containers/certs.d and
/etc/docker/certs.d: *.crt are CAs, and NAME.cert with NAME.key is a client certificate.
Two other sets of CAs are trusted as well: those of the system, or of $SSL_CERT_FILE if
that is set, and those in the file of --certificate-authority.

The proxies in $HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY are used.`,
		},
		{
			Use:   "output",
			Short: "Formats, colours, and what scripts can rely on",
			Long: `Results go to stdout, everything else goes to stderr. -o chooses the format:

  text         for people, the default
  json, yaml   for programs; both have the same fields
  jsonpath=TEMPLATE, go-template=TEMPLATE
               as for kubectl, with the fields of json; a field that the result does not
               have is an error
  name, pullspec, digest
               of 'release info': a line for each image
  markdown     of 'release diff' and 'policy diff'
  junit        of 'check', 'release check' and 'release verify'
  html, mirror-list, image-set
               of 'check' and 'release check'

On a terminal, text has tables that fit its width, short digests (--full prints whole
ones), and three colours: green for what is good, red for what is not, yellow for what was
not asked. NO_COLOR and TERM=dumb turn colours off. Marks are ASCII unless LC_ALL,
LC_CTYPE or LANG names UTF-8. If stdout is not a terminal, nothing is cut or coloured, and
digests are whole.

The JSON has a version, now ` + outputVersion + `, which 'mirrorchain version -o json' states as "output". Each
result has a schema in docs/schema/` + outputVersion + ` of the source code. Within a version fields may
be added. None is removed or renamed, or gets another type or meaning. An empty list is [],
and never null. Texts for people, such as "error" and "why", may change.

A command that fails writes no result. With -o json and yaml it writes an object with
"error", "exitCode", "attempts" and "hints" instead, unless the command line is wrong. Text
on stderr may change at any time; exit codes do not, see 'mirrorchain help exit-codes'.`,
		},
		{
			Use:   "exit-codes",
			Short: "What each exit code means",
			Long:  failure.ExitCodeHelp,
		},
		{
			Use:   "environment",
			Short: "Environment variables",
			Long: `'mirrorchain config' prints what is set by the first four.

  MIRRORCHAIN_CONFIG      a file in place of ~/.config/mirrorchain/config.yaml
  MIRRORCHAIN_SOURCE      policies for every run, as -s takes them, separated by commas
  MIRRORCHAIN_CACHE_DIR   the folder in which 'release info' keeps what it read
  REGISTRY_AUTH_FILE      a pull secret

  XDG_CONFIG_HOME, XDG_RUNTIME_DIR, DOCKER_CONFIG, HOME
                          where config.yaml, credentials and certificates are looked for,
                          see 'mirrorchain help credentials'
  SSL_CERT_FILE, SSL_CERT_DIR
                          CAs in place of those of the system
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                          proxies, and hosts that are reached without one
  KUBECONFIG              the cluster of -s cluster: and of 'release info' without a release
  NO_COLOR, TERM          NO_COLOR with any value, or TERM=dumb: no colours
  LC_ALL, LC_CTYPE, LANG  whether the terminal shows more than ASCII
  any variable that -s env:NAME names`,
		},
	}
}
