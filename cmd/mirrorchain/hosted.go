package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/mirrorchoice"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// The two views of a HostedCluster's release.
const (
	viewManagement = "management" // the operators of the management cluster
	viewNodes      = "nodes"      // the nodes of the hosted cluster
)

// hostedView is how somebody sees the release of a HostedCluster. It stands for the sources
// and the credentials that the flags would name.
type hostedView struct {
	name, title string
	policies    *policies
	credentials provider.Credentials
}

// hostedCluster is what a check needs to know of a HostedCluster.
type hostedCluster struct {
	*hyperv1.HostedCluster
	object      []byte // as JSON, for the source of policies in files
	credentials provider.Credentials
}

// hostedCheck checks the release of a HostedCluster, or others, as the operators of the
// management cluster see it and as its nodes do.
func (a *app) hostedCheck(ctx context.Context, args []string, o checkOptions) error {
	name, only := o.hostedCluster, o.view
	o.hostedCluster = ""
	switch {
	case only != "" && only != viewManagement && only != viewNodes:
		return failure.Usagef("--view %q: want %s or %s", only, viewManagement, viewNodes)
	case len(a.opts.sources) > 0 || a.fromPaths() != "":
		return failure.Usagef("--for-hosted-cluster reads the policies of the cluster; leave out --source and --from")
	case only == "" && !a.opts.output.IsText():
		return failure.Usagef("--for-hosted-cluster prints two reports; with -o %s name one: --view %s or --view %s", a.opts.output, viewManagement, viewNodes)
	}
	a.opts.usesCluster = true
	if err := a.applySettings(); err != nil {
		return err
	}
	hc, err := a.readHosted(ctx, name)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{hc.Spec.Release.Image}
		if image := hypershift.ControlPlaneRelease(hc.HostedCluster); image != args[0] && only != viewNodes {
			a.notef("the release of the control plane is %s; name it to check that", image)
		}
	}
	var errs []error
	for _, viewOf := range []func(context.Context, *hostedCluster) (*hostedView, error){a.managementView, a.nodesView} {
		view, err := viewOf(ctx, hc)
		if err != nil {
			return err
		}
		if only != "" && only != view.name {
			continue
		}
		if only == "" {
			fmt.Fprint(a.sys.Stdout, output.Line("%s", view.title))
		}
		a.view, a.printed = view, false
		errs = append(errs, a.releaseCheck(ctx, args, o))
		if only == "" && view.name == viewManagement {
			fmt.Fprintln(a.sys.Stdout)
		}
	}
	return errors.Join(errs...)
}

// readHosted reads a HostedCluster, NAMESPACE/NAME or a name in the namespace of the kubeconfig's
// context, and its pull secret unless --authfile names another.
func (a *app) readHosted(ctx context.Context, name string) (*hostedCluster, error) {
	stop := a.progress("reading the HostedCluster %s", name)
	defer stop()
	loading := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(a.loadingRules(), &clientcmd.ConfigOverrides{CurrentContext: a.opts.kubeContext})
	config, err := loading.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--for-hosted-cluster needs the management cluster: %w", err)
	}
	namespace, short, ok := strings.Cut(name, "/")
	if !ok {
		short = name
		if namespace, _, err = loading.Namespace(); err != nil {
			return nil, err
		}
	}
	if namespace == "" || short == "" || strings.Contains(short, "/") {
		return nil, failure.Usagef("--for-hosted-cluster %q: want NAME, or NAMESPACE/NAME", name)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	object, err := readObject(ctx, client, hyperv1.GroupVersion.WithResource("hostedclusters"), "HostedCluster", namespace, short)
	if err != nil {
		return nil, err
	}
	hc := &hostedCluster{HostedCluster: new(hyperv1.HostedCluster)}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, hc.HostedCluster); err != nil {
		return nil, fmt.Errorf("HostedCluster %s/%s: %w", namespace, short, err)
	}
	object.SetManagedFields(nil)
	if hc.object, err = json.Marshal(object); err != nil || a.opts.authfile != "" {
		return hc, err
	}
	secret, err := readObject(ctx, client, corev1.SchemeGroupVersion.WithResource("secrets"), "Secret", namespace, hc.Spec.PullSecret.Name)
	if err != nil {
		return nil, fmt.Errorf("the pull secret (spec.pullSecret): %w; -a FILE names another one", err)
	}
	read := new(corev1.Secret)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(secret.Object, read); err != nil {
		return nil, fmt.Errorf("the pull secret %s/%s cannot be read as a Secret", namespace, read.Name)
	}
	if hc.credentials, err = provider.ParseCredentials(read.Data[hypershift.PullSecretKey]); err != nil {
		return nil, fmt.Errorf("the pull secret %s/%s, %s: %w", namespace, read.Name, hypershift.PullSecretKey, err)
	}
	for _, w := range hc.credentials.Warnings() {
		a.warnf("%s", w)
	}
	return hc, nil
}

// readObject reads an object, and says what is missing where it may not be read.
func readObject(ctx context.Context, client dynamic.Interface, kind schema.GroupVersionResource, what, namespace, name string) (*unstructured.Unstructured, error) {
	object, err := client.Resource(kind).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%s %s/%s may not be read: this needs the verb get on %s in namespace %s (%w)", what, namespace, name, kind.Resource, namespace, err)
	case apimeta.IsNoMatchError(err):
		return nil, fmt.Errorf("the cluster has no %ss; is it a management cluster?", what)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s %s/%s does not exist; name another one, or another cluster with --kubeconfig and --context", what, namespace, name)
	case err != nil:
		return nil, fmt.Errorf("reading %s %s/%s: %w", what, namespace, name, err)
	}
	return object, nil
}

// managementView returns that of the operators: the policies of the management cluster, whose digest
// rules serve tags too, or what the HostedCluster chose in their place.
func (a *app) managementView(ctx context.Context, hc *hostedCluster) (*hostedView, error) {
	a.view = nil
	sources, follow := a.opts.sources, a.opts.tagsFollowDigest
	a.opts.sources, a.opts.tagsFollowDigest = []string{clusterScheme + ":"}, true
	p, err := a.loadPolicies(ctx)
	a.opts.sources, a.opts.tagsFollowDigest = sources, follow
	if err != nil {
		return nil, err
	}
	title := "What the operators of the management cluster fetch, with the policies of the cluster"
	if choice, err := mirrorchoice.Parse(hc.Annotations); err != nil {
		a.warnf("%v; the operators use the policies of the cluster", err)
	} else if !choice.IsDefault() {
		c := apimeta.FindStatusCondition(hc.Status.Conditions, string(hypershift.ManagementMirrorsChosen))
		if inForce := c != nil && (c.Status == metav1.ConditionTrue || c.Reason == hypershift.EntriesSkippedReason); !inForce {
			a.warnf("annotations choose other mirrors, and the operator does not say that they are in force (condition %s)", hypershift.ManagementMirrorsChosen)
		} else {
			chosen, err := choice.Rules(p.rules, hc.Spec.ImageContentSources, false)
			if err != nil {
				return nil, fmt.Errorf("the rules that annotations choose: %w", err)
			}
			p.rules, p.delivery = chosen.Rules, chosen.Rules
			title = "What the operators of the management cluster fetch, with the mirrors that annotations choose"
		}
	}
	if name, ok := hc.Annotations[hypershift.AnnotationMirrorCredentials]; ok {
		a.notef("the operators also have the credentials for mirrors in Secret %s/%s, which are not used here", hc.Namespace, name)
	}
	return &hostedView{viewManagement, title, p, hc.credentials}, nil
}

// nodesView returns that of the hosted cluster's nodes: its own imageContentSources and nothing of the
// management cluster.
func (a *app) nodesView(ctx context.Context, hc *hostedCluster) (*hostedView, error) {
	src, err := file.Open("-", file.Config{Stdin: bytes.NewReader(hc.object)})
	if err != nil {
		return nil, err
	}
	loaded, err := src.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("HostedCluster %s/%s: %w", hc.Namespace, hc.Name, err)
	}
	p := &policies{insecureAll: !a.opts.tlsVerify, loaded: []policy.Policy{loaded}}
	if p.rules, err = policy.NewRules(policy.RulesConfig{Strict: a.opts.strict}, loaded); err != nil {
		return nil, fmt.Errorf("HostedCluster %s/%s: %w", hc.Namespace, hc.Name, err)
	}
	p.delivery = p.rules
	return &hostedView{viewNodes, "What the nodes of the hosted cluster pull, with spec.imageContentSources", p, hc.credentials}, nil
}
