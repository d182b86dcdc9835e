package kubeclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// confirmAbsent asks discovery whether the cluster does not have the kind in that version.
// Any error means that this is not certain, and that nothing may be concluded.
func (c *Client) confirmAbsent(ctx context.Context, v version) error {
	var groups metav1.APIGroupList
	if err := v.objects.Get().AbsPath("/apis").Do(ctx).Into(&groups); err != nil {
		return fmt.Errorf("not found, and discovery fails: %w", err)
	}
	if len(groups.Groups) == 0 {
		return errors.New("not found, and discovery names no API group at all: is this the API server?")
	}
	groupVersion := v.GroupVersion.String()
	served := slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool {
		return slices.ContainsFunc(g.Versions, func(v metav1.GroupVersionForDiscovery) bool { return v.GroupVersion == groupVersion })
	})
	if !served {
		return nil
	}
	var resources metav1.APIResourceList
	if err := v.objects.Get().AbsPath("/apis/" + groupVersion).Do(ctx).Into(&resources); err != nil {
		return fmt.Errorf("not found, and discovery of %s fails: %w", groupVersion, err)
	}
	if slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == c.resource.Resource }) {
		return errors.New("not found, and yet discovery names it: the API server is starting or changing")
	}
	return nil
}
