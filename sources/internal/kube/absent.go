package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/policy"
)

// confirmAbsent asks discovery whether the cluster does not have the kind. Any
// error means that this is not certain, and that nothing may be concluded.
func (s *source) confirmAbsent(ctx context.Context) error {
	var groups metav1.APIGroupList
	if err := s.objects.Get().AbsPath("/apis").Do(ctx).Into(&groups); err != nil {
		return fmt.Errorf("not found, and discovery fails: %w", err)
	}
	if len(groups.Groups) == 0 {
		return errors.New("not found, and discovery names no API group at all: is this the API server?")
	}
	version := s.kind.resource.GroupVersion().String()
	served := slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool {
		return slices.ContainsFunc(g.Versions, func(v metav1.GroupVersionForDiscovery) bool { return v.GroupVersion == version })
	})
	if !served {
		return nil
	}
	var resources metav1.APIResourceList
	if err := s.objects.Get().AbsPath("/apis/" + version).Do(ctx).Into(&resources); err != nil {
		return fmt.Errorf("not found, and discovery of %s fails: %w", version, err)
	}
	if slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == s.kind.resource.Resource }) {
		return errors.New("not found, and yet discovery names it: the API server is starting or changing")
	}
	return nil
}

// nothing is what a cluster says that does not have the kind.
func (s *source) nothing() policy.Policy {
	what := s.kind.resource.GroupResource().String()
	return policy.Policy{Warnings: []policy.Warning{{
		Code:    policy.WarnKindAbsent,
		Origins: []string{what},
		Message: fmt.Sprintf("the cluster does not have %s: no rules come from them until they are installed", what),
	}}}
}
