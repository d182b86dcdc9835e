package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
)

const defaultTimeout = 2 * time.Minute

// options are the common flags.
type options struct {
	sources           []string
	kubeconfig        string
	kubeContext       string
	usesCluster       bool // whatever the sources are
	registryOverrides []string
	insecure, blocked []string
	hostedCluster     string
	strict            bool
	tagsFollowDigest  bool
	from              []string

	authfile string
	certDirs []string
	// authorities is a file.
	authorities string
	tlsVerify   bool
	timeout     time.Duration

	endpointTimeout time.Duration

	output  output.Format
	full    bool
	verbose bool
}

func (o *options) register(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringArrayVarP(&o.sources, "source", "s", nil, "where policies are, `SPEC`: PATH or file:PATH of a file or of a directory with *.yaml, *.yml, *.json or registries.conf, env:NAME, - for standard input; cluster: for the policies of a cluster, or icsp:, idms:, itms:, imageconfig: for some; repeatable; see 'mirrorchain help sources'")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` of the cluster, in place of $KUBECONFIG, ~/.kube/config and, in a pod, its service account")
	f.StringVar(&o.kubeContext, "context", "", "context `NAME` of the kubeconfig, in place of the current one")
	f.StringArrayVar(&o.registryOverrides, "registry-overrides", nil, "replace registries in lookups and in results: `SRC=DST,...`")
	f.StringArrayVar(&o.insecure, "insecure-registry", nil, "`SCOPE`, HOST[:PORT][/PATH] or *.DOMAIN, that may be plain HTTP or unverified TLS; repeatable")
	f.StringArrayVar(&o.blocked, "blocked-registry", nil, "`SCOPE`, HOST[:PORT][/PATH] or *.DOMAIN, that nothing may be pulled from; repeatable")
	f.StringVar(&o.hostedCluster, "hosted-cluster", "", "the HostedCluster `NAMESPACE/NAME` whose policies are read, if files have those of several")
	f.BoolVar(&o.strict, "strict", false, "refuse policies that the machine-config operator refuses")
	f.BoolVar(&o.tagsFollowDigest, "tags-follow-digest-rules", false, "let digest rules (ICSP, IDMS) serve tags too, as HyperShift's operators do")

	f.StringVarP(&o.authfile, "authfile", "a", "", "pull secret `FILE` to ask before the usual places; see 'mirrorchain help credentials'")
	f.StringVar(&o.authfile, "registry-config", "", "the same as --authfile `FILE`")
	f.StringArrayVar(&o.certDirs, "cert-dir", nil, "`DIR` with REGISTRY[:PORT]/*.crt, *.cert, *.key, in place of the certs.d directories of containers and docker; repeatable")
	f.StringVar(&o.authorities, "certificate-authority", "", "`FILE` of CAs in PEM to trust for every registry, beside those of the system and of --cert-dir")
	f.BoolVar(&o.tlsVerify, "tls-verify", true, "verify certificates; =false allows plain HTTP and any certificate for every endpoint")
	f.DurationVar(&o.timeout, "timeout", defaultTimeout, "limit for the whole command; 0 is no limit, which is the default with --from")
	f.DurationVar(&o.endpointTimeout, "endpoint-timeout", 0, assembly.EndpointTimeoutHelp)

	f.VarP(&o.output, "output", "o", "`FORMAT` of stdout: text, json, yaml, jsonpath=TEMPLATE, go-template=TEMPLATE, and others that a command offers; see 'mirrorchain help output'")
	f.BoolVar(&o.full, "full", false, "show whole digests also on a terminal")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print on stderr which endpoint is asked for what, and what it answers; and every warning")

	registerForeign(f)

	complete(root, "output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		names := []string{"text", "json", "yaml"}
		for _, f := range offered(cmd) {
			names = append(names, string(f))
		}
		return append(names, string(output.JSONPath), string(output.GoTemplate)), cobra.ShellCompDirectiveNoFileComp
	})
	complete(root, "cert-dir", dirs)
	for _, none := range []string{"registry-overrides", "insecure-registry", "blocked-registry", "hosted-cluster", "timeout", "endpoint-timeout"} {
		complete(root, none, cobra.NoFileCompletions)
	}
}

// complete registers a completion. It panics for a flag that does not exist, which is a
// mistake in this program.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

// formatsKey annotates a command with the formats that it has beside the common ones.
const formatsKey = "formats"

// offering lets a command write more formats than those that all commands have.
func offering(cmd *cobra.Command, formats ...output.Format) *cobra.Command {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	if cmd.Annotations == nil {
		cmd.Annotations = make(map[string]string)
	}
	cmd.Annotations[formatsKey] = strings.Join(names, "\n")
	return cmd
}

// offered returns the formats that cmd has beside the common ones.
func offered(cmd *cobra.Command) []output.Format {
	var formats []output.Format
	for name := range strings.SplitSeq(cmd.Annotations[formatsKey], "\n") {
		if name != "" {
			formats = append(formats, output.Format(name))
		}
	}
	return formats
}

// settle refuses a format that cmd does not have. A disk takes the time that it takes:
// with --from there is no limit unless one is named.
func (o *options) settle(cmd *cobra.Command, _ []string) error {
	if err := o.output.Check(offered(cmd)...); err != nil {
		return failure.Usagef("-o %s for '%s': %w", o.output, cmd.CommandPath(), err)
	}
	if len(o.from) > 0 && !cmd.Flags().Changed("timeout") {
		o.timeout = 0
	}
	return nil
}

// check refuses values that the types of the flags allow.
func (o *options) check() error {
	if o.timeout < 0 {
		return failure.Usagef("--timeout %v: want 0 for none, or more", o.timeout)
	}
	if o.endpointTimeout < 0 {
		return failure.Usagef("--endpoint-timeout %v: want 0 for the defaults, or more", o.endpointTimeout)
	}
	for _, f := range []struct {
		flag   string
		scopes []string
	}{{"--insecure-registry", o.insecure}, {"--blocked-registry", o.blocked}} {
		for _, s := range f.scopes {
			if err := policy.CheckScope(s); err != nil {
				return failure.Usagef("%s: %w", f.flag, err)
			}
		}
	}
	if slices.Contains(o.sources, "") {
		return failure.Usagef("--source is empty; want file:PATH, env:NAME, cluster: or a path")
	}
	if (o.kubeconfig != "" || o.kubeContext != "") && !o.usesCluster && !slices.ContainsFunc(o.sources, ofCluster) {
		return failure.Usagef("--kubeconfig and --context mean nothing without a source on a cluster: -s cluster:, icsp:, idms:, itms: or imageconfig:")
	}
	return nil
}

// only makes a command refuse the common flags that mean nothing to it. Otherwise it
// would accept them and do nothing.
func only(cmd *cobra.Command, flags ...string) *cobra.Command {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, g := range commonFlags() {
			for _, name := range g.names {
				if !slices.Contains(flags, name) && cmd.Flags().Changed(name) {
					return failure.Usagef("--%s means nothing to '%s'", name, cmd.CommandPath())
				}
			}
		}
		return nil
	}
	return showing(cmd, flags...)
}
