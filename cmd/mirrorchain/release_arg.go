package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider"
)

// releases is where Red Hat publishes releases, under VERSION-ARCH.
const releases = "quay.io/openshift-release-dev/ocp-release"

// A version of a release there, with or without an architecture. Nightly builds are
// elsewhere.
var releaseVersion = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+(?:-(?:rc|ec|fc)\.[0-9]+)?)(?:-(x86_64|aarch64|ppc64le|s390x|multi))?$`)

// releaseArg returns the release that an argument names: a pull spec, or a version. Without
// an argument it is the release of the connected cluster, whose policies count then too,
// unless others are named.
func (a *app) releaseArg(ctx context.Context, args []string, platform provider.Platform) (refArg, error) {
	if len(args) == 0 {
		return a.clusterRelease(ctx)
	}
	m := releaseVersion.FindStringSubmatch(args[0])
	if m == nil {
		return parseRef(args[0])
	}
	arch := cmp.Or(platform.Architecture, runtime.GOARCH)
	ref := releases + ":" + m[1] + "-" + cmp.Or(m[2], coreOS[arch], arch)
	a.notef("%s is read as %s", args[0], ref)
	return parseRef(ref)
}

// releaseOf does what releaseArg does, for [app.asking].
func (a *app) releaseOf(args []string) naming {
	return func(ctx context.Context, platform provider.Platform) (refArg, error) {
		return a.releaseArg(ctx, args, platform)
	}
}

// clusterRelease returns the release that the connected cluster is to run.
func (a *app) clusterRelease(ctx context.Context) (refArg, error) {
	if err := a.applySettings(); err != nil {
		return refArg{}, err
	}
	if len(a.opts.sources) == 0 {
		a.opts.sources = []string{clusterScheme + ":"}
	}
	a.opts.usesCluster = true
	stop := a.progress("asking the cluster for its release")
	defer stop()
	image, err := a.desiredImage(ctx)
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return refArg{}, context.Cause(ctx)
		}
		if _, ok := errors.AsType[*failure.Usage](err); ok {
			return refArg{}, err
		}
		return refArg{}, fmt.Errorf("no release was named, so the cluster is asked for its own: %w", err)
	}
	a.notef("the cluster's release is %s", image)
	return parseRef(image)
}

// desiredImage returns status.desired.image of the cluster's ClusterVersion.
func (a *app) desiredImage(ctx context.Context) (string, error) {
	loading := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(a.loadingRules(), &clientcmd.ConfigOverrides{CurrentContext: a.opts.kubeContext})
	config, err := loading.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return "", failure.Usagef("this needs an image reference, such as %s:4.17.3-x86_64, or a cluster, whose release it is then; no kubeconfig names one", releases)
	}
	if err != nil {
		return "", err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return "", err
	}
	kind := schema.GroupVersionResource{Group: "config.openshift.io", Version: "v1", Resource: "clusterversions"}
	version, err := client.Resource(kind).Get(ctx, "version", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return "", fmt.Errorf("%s is no OpenShift cluster: it has no ClusterVersion; name a release, or another cluster with --kubeconfig and --context", config.Host)
	case err != nil:
		return "", err
	}
	image, _, err := unstructured.NestedString(version.Object, "status", "desired", "image")
	if err == nil && image == "" {
		err = fmt.Errorf("the ClusterVersion of %s names no image in status.desired yet", config.Host)
	}
	return image, err
}

// loadingRules finds the kubeconfig that --kubeconfig or the environment names.
func (a *app) loadingRules() *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if rules.ExplicitPath = a.opts.kubeconfig; rules.ExplicitPath == "" {
		rules.Precedence = filepath.SplitList(a.sys.getenv(clientcmd.RecommendedConfigPathEnvVar))
		if len(rules.Precedence) == 0 {
			rules.Precedence = []string{filepath.Join(a.sys.getenv("HOME"), ".kube", "config")}
		}
	}
	return rules
}

// completionTime is how long somebody waits for a completion.
const completionTime = 3 * time.Second

// componentNames completes names of components of the release that stands on the command
// line already. It says nothing and fails silently, as completions do.
func (a *app) componentNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	a.err = &lockedWriter{w: io.Discard}
	arch, _ := cmd.Flags().GetString("arch")
	platform, err := parseArch(arch)
	if err != nil || len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ref, err := a.releaseArg(ctx, args, platform)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	disk, _ := a.disk("", false)
	defer disk.Close()
	l, err := a.lookups(ctx, ref, disk)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer l.close()
	rel, err := l.lookup(ctx, ref, platform)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for c := range rel.Components() {
		names = append(names, c.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
