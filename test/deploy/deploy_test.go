package deploy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apilabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
)

var (
	namespaces      = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods            = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	serviceMonitors = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
)

// serviceMonitorCRD has as much of the Prometheus operator's as says whether what we
// write is in the right places.
const serviceMonitorCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor, listKind: ServiceMonitorList, plural: servicemonitors, singular: servicemonitor}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [endpoints, selector]
            properties:
              selector:
                type: object
                properties:
                  matchLabels: {type: object, additionalProperties: {type: string}}
              endpoints:
                type: array
                items:
                  type: object
                  properties:
                    port: {type: string}
                    path: {type: string}
                    interval: {type: string, pattern: "^[0-9]+s$"}
`

// podMonitorCRD and prometheusRuleCRD are the same for those kinds.
const (
	podMonitorCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: podmonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: PodMonitor, listKind: PodMonitorList, plural: podmonitors, singular: podmonitor}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [podMetricsEndpoints, selector]
            properties:
              namespaceSelector:
                type: object
                properties:
                  any: {type: boolean}
              selector:
                type: object
                properties:
                  matchExpressions:
                    type: array
                    items:
                      type: object
                      required: [key, operator]
                      properties:
                        key: {type: string}
                        operator: {type: string}
                        values: {type: array, items: {type: string}}
              podMetricsEndpoints:
                type: array
                items:
                  type: object
                  properties:
                    port: {type: string}
                    path: {type: string}
                    interval: {type: string, pattern: "^[0-9]+s$"}
`
	prometheusRuleCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheusrules.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: PrometheusRule, listKind: PrometheusRuleList, plural: prometheusrules, singular: prometheusrule}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            properties:
              groups:
                type: array
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string, minLength: 1}
                    rules:
                      type: array
                      items:
                        type: object
                        required: [expr]
                        properties:
                          alert: {type: string}
                          expr: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
                          for: {type: string, pattern: "^(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?$"}
                          labels: {type: object, additionalProperties: {type: string}}
                          annotations: {type: object, additionalProperties: {type: string}}
`
)

// A dry run tells what is done. Applying the same again changes nothing.
func TestApply(t *testing.T) {
	c := cluster.Start(t)
	objects := deploy.Build(t, "operator")
	if objects[0].GetKind() != "Namespace" {
		t.Fatalf("the first object is a %s", objects[0].GetKind())
	}
	// A dry run creates nothing, and in no namespace that is not there is anything created.
	if _, err := c.Dynamic(t).Resource(namespaces).Create(t.Context(), objects[0].DeepCopy(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	once(t, c, "operator", objects)
	t.Run("pod security", func(t *testing.T) { podSecurity(t, c) })

	once(t, c, "example", deploy.Build(t, "example"))
	// The components are what a site adds, and that includes kinds of the Prometheus operator.
	var crds []*unstructured.Unstructured
	for _, text := range []string{serviceMonitorCRD, podMonitorCRD, prometheusRuleCRD} {
		crd := new(unstructured.Unstructured)
		if err := yaml.Unmarshal([]byte(text), &crd.Object); err != nil {
			t.Fatal(err)
		}
		crds = append(crds, crd)
	}
	c.Install(t, crds...)
	once(t, c, "everything", deploy.Build(t, "everything"))
	monitor, err := c.Dynamic(t).Resource(serviceMonitors).Namespace(deploy.Namespace).Get(t.Context(), "operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	selected(t, deploy.Build(t, "everything"), "Service", labels(t, monitor, "spec", "selector", "matchLabels"))
}

// once tries a folder, applies it, and applies it again.
func once(t *testing.T, c *cluster.Cluster, folder string, objects []*unstructured.Unstructured) {
	t.Helper()
	tried := lines(strings.ReplaceAll(deploy.Apply(t, c, folder, "--dry-run=server"), " (server dry run)", ""))
	if len(tried) != len(objects) {
		t.Errorf("%d objects, and kubectl says\n%s", len(objects), strings.Join(tried, "\n"))
	}
	if done := lines(deploy.Apply(t, c, folder)); !slices.Equal(done, tried) {
		t.Errorf("tried\n%v\ndone\n%v", tried, done)
	}
	before := versions(t, c, folder)
	if len(before) != len(objects) {
		t.Errorf("%d objects, and there are %v", len(objects), before)
	}
	deploy.Apply(t, c, folder)
	if after := versions(t, c, folder); !maps.Equal(after, before) {
		t.Errorf("applied again:\n%v\nand before\n%v", after, before)
	}
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

// versions returns those of a folder's objects as they are in the cluster.
func versions(t *testing.T, c *cluster.Cluster, folder string) map[string]string {
	t.Helper()
	cmd := c.Kubectl(t, "get", "-o", "json", "-k", deploy.Folder(t, folder))
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []metav1.PartialObjectMetadata
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, obj := range list.Items {
		out[obj.Kind+" "+obj.Name] = obj.ResourceVersion
	}
	return out
}

// podSecurity shows that the pod is accepted in a namespace that accepts only restricted
// ones. It leaves out each part that makes the pod one of those, and the pod is refused.
func podSecurity(t *testing.T, c *cluster.Cluster) {
	client := c.Dynamic(t).Resource(pods).Namespace(deploy.Namespace)
	create := func(name string, change func(*corev1.PodSpec)) error {
		pod := template(t, deploy.Build(t, "operator"))
		pod.Name, pod.Namespace = name, deploy.Namespace
		change(&pod.Spec)
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Create(t.Context(), &unstructured.Unstructured{Object: fields}, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		return err
	}
	if err := create("as-it-is", func(*corev1.PodSpec) {}); err != nil {
		t.Errorf("the pod is refused: %v", err)
	}
	for name, change := range map[string]func(*corev1.PodSpec){
		"root":         func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil },
		"seccomp":      func(p *corev1.PodSpec) { p.SecurityContext.SeccompProfile = nil },
		"escalation":   func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
		"capabilities": func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.Capabilities = nil },
		"host":         func(p *corev1.PodSpec) { p.HostNetwork = true },
	} {
		if err := create(name, change); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted:latest"`) {
			t.Errorf("%s: got %v, want that it is refused", name, err)
		}
	}
}

// The objects fit one another: who selects, names a port or mounts finds it.
func TestReferences(t *testing.T) {
	for _, folder := range []string{"operator", "example", "everything"} {
		objects := deploy.Build(t, folder)
		pod := template(t, objects)
		for _, obj := range objects {
			switch obj.GetKind() {
			case "Deployment", "PodDisruptionBudget":
				contains(t, obj.GetKind(), pod.Labels, labels(t, obj, "spec", "selector", "matchLabels"))
			case "NetworkPolicy":
				contains(t, "NetworkPolicy", pod.Labels, labels(t, obj, "spec", "podSelector", "matchLabels"))
			case "Service":
				contains(t, "Service", pod.Labels, labels(t, obj, "spec", "selector"))
				var svc corev1.Service
				convert(t, obj, &svc)
				for _, p := range svc.Spec.Ports {
					port(t, pod, p.TargetPort.StrVal)
				}
			case "ClusterRoleBinding", "RoleBinding":
				subjects, _, _ := unstructured.NestedSlice(obj.Object, "subjects")
				role, _, _ := unstructured.NestedString(obj.Object, "roleRef", "name")
				kind, _, _ := unstructured.NestedString(obj.Object, "roleRef", "kind")
				if !strings.HasPrefix(role, "system:") { // Kubernetes' own
					has(t, objects, kind, role)
				}
				for _, s := range subjects {
					if s := s.(map[string]any); s["name"] != pod.Spec.ServiceAccountName || s["namespace"] != deploy.Namespace {
						t.Errorf("%s %s is for %v", obj.GetKind(), obj.GetName(), s)
					}
				}
			}
			if ns := obj.GetNamespace(); ns != "" && ns != deploy.Namespace {
				t.Errorf("%s %s is in the namespace %s", obj.GetKind(), obj.GetName(), ns)
			}
		}
		has(t, objects, "ServiceAccount", pod.Spec.ServiceAccountName)
		for _, spread := range pod.Spec.TopologySpreadConstraints {
			contains(t, spread.TopologyKey, pod.Labels, spread.LabelSelector.MatchLabels)
		}
		operator := pod.Spec.Containers[0]
		port(t, pod, operator.LivenessProbe.HTTPGet.Port.StrVal)
		port(t, pod, operator.ReadinessProbe.HTTPGet.Port.StrVal)
		var volumes, mounts []string
		for _, v := range pod.Spec.Volumes {
			volumes = append(volumes, v.Name)
		}
		for _, m := range operator.VolumeMounts {
			mounts = append(mounts, m.Name)
		}
		if !slices.Equal(volumes, mounts) {
			t.Errorf("%s: volumes %v, mounts %v", folder, volumes, mounts)
		}
	}
}

// template returns the operator's pod.
func template(t *testing.T, objects []*unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	d := deploy.Deployment(t, objects)
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Labels: d.Spec.Template.Labels}, Spec: d.Spec.Template.Spec,
	}
}

func convert(t *testing.T, obj *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, into, true); err != nil {
		t.Fatalf("%s %s: %v", obj.GetKind(), obj.GetName(), err)
	}
}

func labels(t *testing.T, obj *unstructured.Unstructured, path ...string) map[string]string {
	t.Helper()
	out, ok, err := unstructured.NestedStringMap(obj.Object, path...)
	if !ok || err != nil {
		t.Fatalf("%s %s has no %s: %v", obj.GetKind(), obj.GetName(), strings.Join(path, "."), err)
	}
	return out
}

func contains(t *testing.T, who string, have, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if have[k] != v {
			t.Errorf("%s selects %s=%s, and there is %v", who, k, v, have)
		}
	}
}

func selected(t *testing.T, objects []*unstructured.Unstructured, kind string, want map[string]string) {
	t.Helper()
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == kind && apilabels.SelectorFromSet(want).Matches(apilabels.Set(o.GetLabels()))
	}) {
		t.Errorf("there is no %s with %v", kind, want)
	}
}

func has(t *testing.T, objects []*unstructured.Unstructured, kind, name string) {
	t.Helper()
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name }) {
		t.Errorf("there is no %s %s", kind, name)
	}
}

func port(t *testing.T, pod *corev1.Pod, name string) {
	t.Helper()
	if !slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
		t.Errorf("there is no port %q", name)
	}
}
