package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// ReleaseInfo maintains the condition IgnitionServerValidReleaseInfo of the
// HostedControlPlane: whether the releases of the token Secrets lack component images that
// payloads need, and which. It covers all Secrets that have a payload or for which one was
// tried. Until there is one it writes nothing, unless an earlier process reported missing
// images. It is safe for concurrent use.
type ReleaseInfo struct {
	client    client.Client
	namespace string

	slot chan struct{} // holds the one that writes

	mu      sync.Mutex
	missing map[string][]string // by Secret
	noted   bool                // something was noted, ever
	written *finding            // last, nil at first
}

// finding is what the condition says.
type finding struct {
	names string // of missing components
	noted bool   // if not, it is written only in place of another finding
}

// NewReleaseInfo writes with c to the HostedControlPlanes of the namespace.
func NewReleaseInfo(c client.Client, namespace string) *ReleaseInfo {
	return &ReleaseInfo{client: c, namespace: namespace, slot: make(chan struct{}, 1), missing: map[string][]string{}}
}

// Note records which components the release of a token Secret lacks, none if it has all.
func (i *ReleaseInfo) Note(secret string, missing []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.missing[secret], i.noted = slices.Clone(missing), true
}

// Forget drops what was noted of a token Secret.
func (i *ReleaseInfo) Forget(secret string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.missing, secret)
}

// find returns the finding, and reports whether the condition has to be written for it.
func (i *ReleaseInfo) find(complete bool) (f finding, todo bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []string
	for _, m := range i.missing {
		all = append(all, m...)
	}
	slices.Sort(all)
	f = finding{strings.Join(slices.Compact(all), ", "), i.noted}
	if f.names == "" && !complete {
		return f, false
	}
	return f, i.written == nil || *i.written != f
}

// Write updates the condition if it has changed, by one request. complete says that every
// token Secret was examined: before that it is not known that nothing is missing. Try
// again after an error.
func (i *ReleaseInfo) Write(ctx context.Context, complete bool) error {
	if _, todo := i.find(complete); !todo {
		return nil
	}
	select {
	case i.slot <- struct{}{}:
		defer func() { <-i.slot }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f, todo := i.find(complete)
	if !todo {
		return nil
	}
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return i.write(ctx, f) }); err != nil {
		return fmt.Errorf("writing condition %s: %w", hyperv1.IgnitionServerValidReleaseInfo, err)
	}
	i.mu.Lock()
	i.written = &f
	i.mu.Unlock()
	return nil
}

func (i *ReleaseInfo) write(ctx context.Context, f finding) error {
	var list hyperv1.HostedControlPlaneList
	if err := i.client.List(ctx, &list, client.InNamespace(i.namespace)); err != nil {
		return err
	}
	c := metav1.Condition{
		Type: string(hyperv1.IgnitionServerValidReleaseInfo), Status: metav1.ConditionTrue,
		Reason: hyperv1.AsExpectedReason, Message: hyperv1.AllIsWellMessage,
	}
	if f.names != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, hyperv1.MissingReleaseImagesReason, f.names
	}
	for n := range list.Items {
		if !f.noted && !apimeta.IsStatusConditionFalse(list.Items[n].Status.Conditions, c.Type) {
			continue
		}
		_, err := operator.PatchStatus(ctx, i.client, Name, &list.Items[n], func(hcp *hyperv1.HostedControlPlane) {
			operator.SetCondition(&hcp.Status.Conditions, hcp.Generation, c)
		})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
