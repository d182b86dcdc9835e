package hostedcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Reconciler reconciles HostedClusters. [Reconciler.SetUp] adds it to a manager.
type Reconciler struct {
	Settings
	// Client reads and writes. [CacheOptions] and [ClientOptions] are for its manager.
	Client client.Client
	// Live reads from the API server, past every cache.
	Live client.Reader
	// Metadata is the cache of the metadata of Secrets and ConfigMaps.
	Metadata client.Reader
	// Lookups are the chains that releases are looked up through.
	Lookups *Lookups
	// Rules are those that are handed on: what the policies say, without the operators'
	// own reading of tags (see [operator.TagsFollow]). Nil while there are none yet.
	Rules func() *policy.Rules
	// Changes yields Rules' and each later version, as [sources.Resolver.Changes] does.
	Changes func(context.Context) iter.Seq[*policy.Rules]
	// Waiting says which sources have no rules in force yet and why, nil if all have.
	Waiting func() error
	// HasSCC reports whether the cluster has SecurityContextConstraints.
	HasSCC func() (bool, error)

	architectures architectures
	encoded       atomic.Pointer[encodedRules]
	ahead         ahead
}

// comeBack is when the rest of a reconciliation that ended early is done at the latest. What
// ended it brings the HostedCluster back by itself: the event of the Deployment that was
// written, with which the cache knows it, or that of the new rules.
const comeBack = 5 * time.Second

// noRules is how often it is told why there are no rules yet.
const noRules = 10 * time.Second

// outcome is what one reconciliation has to say.
type outcome struct {
	conditions []metav1.Condition
	version    *hyperv1.ClusterVersionStatus // that the control plane reports, nil if it does not
	arch       hyperv1.PayloadArchType
	result     reconcile.Result
	below      *metav1.Condition // hypershift.OverridesHandedOver of the control plane, where that is False
	trust      *string           // what of the CA bundle is not trusted, "" if nothing; nil if it was not read
	unfinished bool              // it ended early, and has nothing to say yet
}

func (o *outcome) set(c metav1.Condition) { o.conditions = append(o.conditions, c) }

// Reconcile makes the control plane of one HostedCluster what it should be, and says
// in its conditions what came of it, in at most one write.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	hc := new(hyperv1.HostedCluster)
	if err := r.Client.Get(ctx, req.NamespacedName, hc); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !hc.DeletionTimestamp.IsZero() {
		waiting, err := r.tearDown(ctx, hc)
		if waiting && err == nil {
			return reconcile.Result{RequeueAfter: tearDownPoll}, nil
		}
		return again(err)
	}
	if !hypershift.ReadPause(hc.Spec.PausedUntil, time.Now()).Paused { // of which nothing is written
		if err := r.prepare(ctx, hc); err != nil {
			return again(err)
		}
	}
	o := &outcome{version: hc.Status.Version, arch: hc.Status.PayloadArch}
	err := r.reconcile(ctx, hc, o)
	if ctx.Err() != nil {
		return reconcile.Result{}, ctx.Err() // we are being stopped; that says nothing about the cluster
	}
	if o.unfinished && err == nil {
		return reconcile.Result{RequeueAfter: comeBack}, nil
	}
	o.set(succeeded(err))
	_, statusErr := operator.PatchStatus(ctx, r.Client, Owner, hc, func(hc *hyperv1.HostedCluster) {
		hc.Status.Version, hc.Status.PayloadArch = o.version, o.arch
		for _, c := range o.conditions {
			if c.Type == string(hypershift.OverridesHandedOver) && c.Status == metav1.ConditionTrue && o.below != nil {
				c = *o.below
			}
			operator.SetCondition(&hc.Status.Conditions, hc.Generation, c)
		}
		if o.trust != nil {
			setTrustBundle(hc, *o.trust)
		}
	})
	if statusErr != nil && err == nil {
		return again(statusErr)
	}
	if wait, ok := operator.RetryAfter(err); ok {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	return o.result, err
}

// again is the result for an error. What was read too early is no error: it is done
// again soon.
func again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	return reconcile.Result{}, err
}

func (r *Reconciler) reconcile(ctx context.Context, hc *hyperv1.HostedCluster, o *outcome) error {
	exists, err := r.mayUse(ctx, hc)
	if err != nil {
		return err
	}
	if err := r.handPause(ctx, hc); err != nil {
		return err
	}
	pause := hypershift.ReadPause(hc.Spec.PausedUntil, time.Now())
	o.set(reconciliationActive(hc, pause))
	if pause.Paused {
		o.result.RequeueAfter = pause.Left
		return nil
	}
	if err := r.bubbleUp(ctx, hc, o); err != nil {
		return err
	}
	rules := r.Rules()
	if rules == nil {
		// Whoever has rules for the first time tells everybody; until then the reason may change.
		err := cmp.Or(r.Waiting(), error(provider.ErrNoRules))
		o.set(progressing(hc, o, fmt.Errorf("waiting for the mirror policies of the cluster: %w", err)))
		o.result.RequeueAfter = noRules
		return nil
	}

	if r.ahead.going() {
		o.unfinished = true // whoever hands rules on to all tells everybody then
		return nil
	}

	// Rules first, network second: what policy forbids must not go on being contacted
	// because a registry does not answer. Mostly it is done; see handOverToAll.
	encoded := r.encodedOnce(rules)
	early, told, err := r.handOverKnown(ctx, hc, encoded, false)
	if err != nil {
		return err
	}
	o.conditions = append(o.conditions, told...)

	secret, credentials, err := hypershift.Credentials(ctx, r.Client, client.ObjectKey{Namespace: hc.Namespace, Name: hc.Spec.PullSecret.Name})
	var bundle string
	if ref := hc.Spec.AdditionalTrustBundle; err == nil && ref != nil {
		bundle, err = hypershift.ReadCABundle(ctx, r.Client, client.ObjectKey{Namespace: hc.Namespace, Name: ref.Name})
		if err != nil {
			err = fmt.Errorf("spec.additionalTrustBundle: %w", err)
		}
	}
	if _, unread := errors.AsType[*hypershift.ReadError](err); unread {
		return err // which says nothing of the release
	}
	var f found
	if err == nil {
		inForce, leave := operator.WhileInForce(ctx, r.Changes, rules)
		f, err = r.lookup(inForce, hc, credentials, bundle)
		changed := errors.Is(context.Cause(inForce), operator.ErrRulesChanged)
		leave()
		if changed { // what was found is by the old rules, and must not be written
			o.unfinished = true
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil || errors.Is(err, errPayloadArch) {
		o.arch = f.arch
	}
	o.trust = &f.trust
	o.set(validReleaseImage(hc, err))
	o.set(progressing(hc, o, err))
	if err != nil && early == nil {
		_, told, handErr := r.handOverKnown(ctx, hc, encoded, true)
		o.conditions = append(o.conditions, told...)
		err = errors.Join(err, handErr)
	}
	if err != nil {
		return err // tried again with backoff, and at once when the pull secret or the rules change
	}
	if err := r.occupy(ctx, hc, exists); err != nil {
		return err
	}
	written, err := r.desired(ctx, hc, secret, bundle)
	if err != nil {
		return err
	}
	scc, err := r.HasSCC()
	if err != nil {
		return fmt.Errorf("asking for SecurityContextConstraints: %w", err)
	}
	w := &workload{Settings: r.Settings, inputs: inputsOf(hc, r.cpoImage(hc, f.controlPlane), scc), hc: hc}
	if now := r.Rules(); now.Version() != rules.Version() {
		o.unfinished = true // or newer rules, handed on meanwhile, would be taken back
		return nil
	}
	handed, unfit := w.handOver(encoded)
	o.set(w.handedOver(unfit))                       // an edit of the policies mends it, and comes back here
	if !equality.Semantic.DeepEqual(handed, early) { // else written just now
		written = append(written, handed...)
	}
	if err := r.applyAll(ctx, written); err != nil || unfit != nil {
		return err
	}
	return r.removeLeftovers(ctx, hc)
}

// bubbleUp takes over what the control plane reports.
func (r *Reconciler) bubbleUp(ctx context.Context, hc *hyperv1.HostedCluster, o *outcome) error {
	hcp := new(hyperv1.HostedControlPlane)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}, hcp)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if v := hcp.Status.VersionStatus; v != nil {
		o.version = v
	}
	if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(hypershift.OverridesHandedOver)); c != nil && c.Status == metav1.ConditionFalse {
		o.below = new(hypershift.Condition(hypershift.OverridesHandedOver, c.Status, c.Reason, "The control plane has the mirror rules and cannot hand them on: "+c.Message))
	}
	for _, typ := range bubbledUp {
		if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(typ)); c != nil {
			o.set(hypershift.Condition(typ, c.Status, c.Reason, c.Message))
		}
	}
	return nil
}

// desired is what is in the control plane namespace for hc, in the order in which it
// is needed, but for what hands rules over.
func (r *Reconciler) desired(ctx context.Context, hc *hyperv1.HostedCluster, secret *corev1.Secret, bundle string) ([]client.Object, error) {
	objects := []client.Object{
		namespace(hc),
		secretCopy(hc, secret, hypershift.PullSecret, hypershift.PullSecretKey, corev1.SecretTypeDockerConfigJson),
	}
	if name := hc.Spec.SSHKey.Name; name != "" {
		from := new(corev1.Secret)
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: hc.Namespace, Name: name}, from); err != nil {
			return nil, fmt.Errorf("reading the SSH key (spec.sshKey): %w", err)
		}
		objects = append(objects, secretCopy(hc, from, hypershift.SSHKey, hypershift.SSHKeyKey, corev1.SecretTypeOpaque))
	}
	if bundle != "" {
		objects = append(objects, configMap(hc, hypershift.UserCABundle, map[string]string{hypershift.CABundleKey: bundle}))
	}
	return append(objects, hostedControlPlane(hc), serviceAccount(hc), role(hc), roleBinding(hc)), nil
}

// applyAll applies objects in their order.
func (r *Reconciler) applyAll(ctx context.Context, objects []client.Object) error {
	a := operator.Applier{Client: r.Client, Owner: Owner}
	for _, obj := range objects {
		if _, err := a.Apply(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}
