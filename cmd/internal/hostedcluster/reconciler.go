package hostedcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Reconciler reconciles HostedClusters. [Reconciler.SetupWithManager] adds it to a manager.
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
	// Signatures are those that releases need, nil for none.
	Signatures *operator.Signatures
	// HasSCC reports whether the cluster has SecurityContextConstraints.
	HasSCC func() (bool, error)

	architectures  architectures
	views          atomic.Pointer[views]
	rollout        fastRollout
	background     *background       // made by SetupWithManager
	settled        *operator.Settled // likewise
	managed        *managedCA
	operatorSecret *operatorCredentials
}

const (
	// requeueConflict is when a reconciliation is done again that read too early.
	requeueConflict = time.Second
	// requeueNoRules is how often it is told why there are no rules yet.
	requeueNoRules = 10 * time.Second
)

// errUnfinished says that a reconciliation ended early and has nothing to say yet. What
// ended it brings the HostedCluster back: other rules, which everybody is reconciled for
// when they are in force and handed on, or authorities that were not read yet. A timer beside that would do all of it twice.
var errUnfinished = errors.New("the reconciliation is done again")

// Reconcile makes the control plane of one HostedCluster what it should be, and says
// in its conditions what came of it, in at most one write.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	result, err := r.once(ctx, req)
	switch {
	case errors.Is(err, errLookupPending), errors.Is(err, errUnfinished):
		return reconcile.Result{}, nil // it comes back by itself
	case apierrors.IsConflict(err): // something was read too early, which is no error
		return reconcile.Result{RequeueAfter: requeueConflict}, nil
	}
	if wait, ok := operator.RetryAfter(err); ok {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	return result, err
}

// once reconciles as Reconcile does. An errLookupPending, an errUnfinished or a conflict says
// that this did not come to an end.
func (r *Reconciler) once(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	hc := new(hyperv1.HostedCluster)
	if err := r.Client.Get(ctx, req.NamespacedName, hc); err != nil {
		r.background.forget(req.NamespacedName)
		r.managed.handed.Delete(req.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !hc.DeletionTimestamp.IsZero() {
		r.background.forget(req.NamespacedName)
		waiting, err := r.tearDown(ctx, hc)
		if waiting && err == nil {
			return reconcile.Result{RequeueAfter: tearDownPoll}, nil
		}
		return reconcile.Result{}, err
	}
	if r.Rules() != nil && r.rollout.running() { // it tells everybody when it is done
		return reconcile.Result{}, errUnfinished
	}
	if !hypershift.ReadPause(hc.Spec.PausedUntil, time.Now()).Paused { // of which nothing is written
		if err := r.prepare(ctx, hc); err != nil {
			return reconcile.Result{}, err
		}
	}
	o, err := r.reconcile(ctx, hc)
	switch {
	case ctx.Err() != nil:
		return reconcile.Result{}, ctx.Err() // we are being stopped; that says nothing about the cluster
	case errors.Is(err, errLookupPending), errors.Is(err, errUnfinished), apierrors.IsConflict(err):
		return reconcile.Result{}, err
	}
	if statusErr := r.report(ctx, hc, o.with(succeeded(err), notDeleting())); statusErr != nil && err == nil {
		return reconcile.Result{}, statusErr
	}
	return reconcile.Result{RequeueAfter: o.requeue}, err
}

// reconcile goes through the phases: it claims the control plane namespace, hands rules
// on, looks releases up, and writes the rest. Rules come before the network: what policy
// forbids must not go on being contacted because a registry does not answer.
func (r *Reconciler) reconcile(ctx context.Context, hc *hyperv1.HostedCluster) (outcome, error) {
	if name := hypershift.ControlPlaneNamespace(hc); len(name) > validation.DNS1123LabelMaxLength { // for ever: no name changes
		o := outcome{version: hc.Status.Version, arch: hc.Status.PayloadArch}
		o = o.with(namespaceTooLong(name))
		return o.with(progressing(hc, o, nil)), nil
	}
	o, claimed, err := r.claim(ctx, hc)
	if err != nil || !claimed.active {
		return o, err
	}
	rules := r.Rules()
	if rules == nil {
		// Whoever has rules for the first time tells everybody; until then the reason may change.
		err := cmp.Or(r.Waiting(), error(provider.ErrNoRules))
		o.requeue = requeueNoRules
		return o.with(progressing(hc, o, fmt.Errorf("waiting for the mirror policies of the cluster: %w", err))), nil
	}
	view := r.viewOf(hc, rules)
	o.view = view
	handed, err := r.handOverKnown(ctx, hc, view.encodedRules, false) // mostly it is done; see handOverToAll
	if o = o.with(handed.conditions...); err != nil {
		return o, err
	}
	if r.managed.current.Load() == nil || r.operatorSecret.current.Load() == nil { // everybody is reconciled when it was read
		return o, errUnfinished
	}
	if claimed.exists {
		if err := errors.Join(r.handTrust(ctx, hc), r.withdrawMirrorCredentials(ctx, hc)); err != nil {
			return o, err
		}
	}
	if err := r.Signatures.Waiting(); err != nil { // everybody is reconciled when there are some
		o.requeue = requeueNoRules
		return o.with(progressing(hc, o, fmt.Errorf("waiting for the image policies of the cluster: %w", err))), nil
	}
	f, err := r.lookUp(ctx, hc, rules, view)
	if _, unread := errors.AsType[*hypershift.ReadError](err); unread || errors.Is(err, errUnfinished) || errors.Is(err, errLookupPending) || ctx.Err() != nil {
		return o, err // which says nothing of the release
	}
	if err == nil {
		err = r.check(hc, o, f)
	}
	o = o.found(hc, f, err)
	if err != nil { // tried again with backoff, and at once when the pull secret or the rules change
		if refused(err) { // until the HostedCluster or its control plane changes
			err = nil
		}
		if !handed.done {
			late, handErr := r.handOverKnown(ctx, hc, view.encodedRules, true)
			o, err = o.with(late.conditions...), errors.Join(err, handErr)
		}
		return o, err
	}
	reported, err := r.write(ctx, hc, f, rules, view, handed.written, claimed)
	return o.with(reported...), err
}

// check returns an error for which [refused] is true where what was found is not rolled
// out.
func (r *Reconciler) check(hc *hyperv1.HostedCluster, o outcome, f found) error {
	if err := checkVersions(hc, cmp.Or(r.Supported, DefaultVersions), f.release.Version(), f.controlPlane.Version()); err != nil {
		return err
	}
	return checkUpgrade(hc, o.version, o.condition(hc, hyperv1.ClusterVersionUpgradeable), f.controlPlane.Version())
}

// claimed is a control plane namespace that hc may use.
type claimed struct {
	exists bool  // the namespace is there
	uid    int64 // of the containers in it, where HyperShift chose one; else 0
	active bool  // hc is not paused
}

// claim makes sure that the control plane namespace is that of hc, hands a pause on, and
// takes over what the control plane reports.
func (r *Reconciler) claim(ctx context.Context, hc *hyperv1.HostedCluster) (outcome, claimed, error) {
	o := outcome{version: hc.Status.Version, arch: hc.Status.PayloadArch}
	ns, err := r.checkNamespace(ctx, hc)
	if err != nil {
		return o, claimed{}, err
	}
	got := claimed{exists: ns != nil}
	if ns != nil {
		uid, _ := strconv.ParseInt(ns.Annotations[annotationUID], 10, 64)
		got.uid = max(uid, 0)
	}
	if err := r.handPause(ctx, hc); err != nil {
		return o, claimed{}, err
	}
	pause := hypershift.ReadPause(hc.Spec.PausedUntil, time.Now())
	o = o.with(reconciliationActive(hc, pause))
	if pause.Paused {
		o.requeue = pause.Left
		return o, got, nil
	}
	o, err = r.bubbleUp(ctx, hc, o)
	got.active = true
	return o, got, err
}

// write makes the control plane namespace and all that is in it, hands rules over where
// that was not written before, and removes what nothing refers to any more. It returns
// what tells of the hand-over. Where other rules are in force by now it is an
// errUnfinished, or they would be taken back.
func (r *Reconciler) write(ctx context.Context, hc *hyperv1.HostedCluster, f found, rules *policy.Rules, view *view, written []client.Object, in claimed) ([]metav1.Condition, error) {
	if !in.exists {
		if err := r.createNamespace(ctx, hc); err != nil {
			return nil, err
		}
		if err := r.handTrust(ctx, hc); err != nil {
			return nil, err
		}
	}
	objects, err := r.desired(ctx, hc, f, view)
	if err != nil {
		return nil, err
	}
	scc, err := r.HasSCC()
	if err != nil {
		return nil, fmt.Errorf("asking for SecurityContextConstraints: %w", err)
	}
	w := &workload{Settings: r.Settings, inputs: r.inputsOf(hc, r.cpoImage(hc, f.controlPlane), scc), hc: hc}
	w.UID = in.uid
	if w.HyperShifts && w.Cloud == nil {
		if w.Cloud, err = r.azureAccess(ctx, hc); err != nil {
			return nil, err
		}
	}
	rights, err := r.rights(ctx, hc, in.exists && w.HyperShifts)
	if err != nil {
		return nil, err
	}
	objects = append(objects, rights...)
	if now := r.Rules(); now.Version() != rules.Version() {
		return nil, errUnfinished
	}
	var handOver []client.Object
	var unfit error
	if w.Signatures, unfit = r.Signatures.HandOn(hypershift.ControlPlaneNamespace(hc)); unfit == nil {
		handOver, unfit = w.handOver(view.encodedRules)
	}
	reported := []metav1.Condition{w.handedOver(unfit)}  // an edit of the policies mends it, and comes back here
	if !equality.Semantic.DeepEqual(handOver, written) { // else written just now
		objects = append(objects, handOver...)
	}
	if err := r.applyAll(ctx, objects); err != nil || unfit != nil {
		return reported, err
	}
	return reported, r.prune(ctx, hc, objects)
}

// desired returns what is in the control plane namespace for hc, in the order in which it
// is needed, without the rights of its operator and what hands rules over.
func (r *Reconciler) desired(ctx context.Context, hc *hyperv1.HostedCluster, f found, view *view) ([]client.Object, error) {
	objects := []client.Object{
		namespace(hc),
		secretCopy(hc, f.pullSecret, hypershift.PullSecret, hypershift.PullSecretKey, corev1.SecretTypeDockerConfigJson),
	}
	if name := hc.Spec.SSHKey.Name; name != "" {
		from := new(corev1.Secret)
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: hc.Namespace, Name: name}, from); err != nil {
			return nil, fmt.Errorf("reading the SSH key (spec.sshKey): %w", err)
		}
		objects = append(objects, secretCopy(hc, from, hypershift.SSHKey, hypershift.SSHKeyKey, corev1.SecretTypeOpaque))
	}
	if f.bundle != "" {
		objects = append(objects, configMap(hc, hypershift.UserCABundle, map[string]string{hypershift.CABundleKey: f.bundle}))
	}
	copies, err := r.mirrorCopies(hc, f, view)
	if err != nil {
		return nil, err
	}
	hcp := hostedControlPlane(hc)
	for _, c := range copies {
		if objects = append(objects, c); c.GetName() == hypershift.ManagementMirrorCredentials {
			hcp.Annotations[hypershift.AnnotationManagementMirrorCredentials] = "true"
		}
	}
	return append(objects, hcp, serviceAccount(hc)), nil
}

// applyAll applies objects in their order.
func (r *Reconciler) applyAll(ctx context.Context, objects []client.Object) error {
	a := r.applier()
	for _, obj := range objects {
		if _, err := a.Apply(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) applier() *operator.Applier {
	return &operator.Applier{Client: r.Client, Live: r.Live, Owner: Owner, Settled: r.settled}
}
