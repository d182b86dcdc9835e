package deploy_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apilabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
)

// monitored fails t unless the PodMonitor selects what the Deployment's pods are
// labelled with, and one of their ports.
func monitored(t *testing.T, d *unstructured.Unstructured) {
	t.Helper()
	objects := deploy.Build(t, "everything")
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "PodMonitor" })
	if at < 0 {
		t.Fatal("there is no PodMonitor")
	}
	var monitor struct {
		Spec struct {
			Selector            metav1.LabelSelector `json:"selector"`
			PodMetricsEndpoints []struct {
				Port string `json:"port"`
			} `json:"podMetricsEndpoints"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[at].Object, &monitor); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	var have appsv1.Deployment
	convert(t, d, &have)
	pod := have.Spec.Template
	if !selector.Matches(apilabels.Set(pod.Labels)) {
		t.Errorf("%s does not select %v of %s", selector, pod.Labels, d.GetName())
	}
	for _, e := range monitor.Spec.PodMetricsEndpoints {
		if !slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == e.Port })
		}) {
			t.Errorf("%s has no port %s", d.GetName(), e.Port)
		}
	}
}
