package hostedcluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// defaultUID is the user of containers where neither SecurityContextConstraints nor HyperShift
// have chosen one.
const defaultUID = 1001

func (in inputs) uid() int64 { return cmp.Or(in.UID, defaultUID) }

// workload is what a control-plane-operator's Deployment is made of.
type workload struct {
	Settings
	inputs
	hc    *hyperv1.HostedCluster // whose name it has, and nothing else of it
	rules *encodedRules
}

// deployment returns the control-plane-operator's Deployment. It depends on w alone, so it
// changes only when a spec, a policy or a flag does. It fails for rules that cannot be
// handed on.
func (w *workload) deployment() (*appsv1.Deployment, error) {
	registryOverrides, err := w.rules.flag()
	if err != nil {
		return nil, err
	}
	vars, err := w.env()
	if err != nil {
		return nil, err
	}
	made, err := w.inputs.text()
	if err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{ObjectMeta: meta(w.hc, hypershift.ControlPlaneOperator)}
	d.Annotations[inputsAnnotation] = made
	labels := map[string]string{"app": hypershift.ControlPlaneOperator, "name": hypershift.ControlPlaneOperator}
	maps.Copy(d.Labels, labels)
	d.Spec.Replicas = new(int32(1))
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"name": hypershift.ControlPlaneOperator}}
	pod := &d.Spec.Template
	pod.Labels = map[string]string{}
	maps.Copy(pod.Labels, w.Labels)
	maps.Copy(pod.Labels, labels)
	pod.Labels[hypershift.ControlPlaneLabel] = hypershift.ControlPlaneNamespace(w.hc)
	pod.Labels[hypershift.ManagementAPILabel] = "true"
	if w.RestartDate != "" {
		pod.Annotations = map[string]string{hyperv1.RestartDateAnnotation: w.RestartDate}
	}
	pod.Spec = corev1.PodSpec{
		ServiceAccountName: hypershift.ControlPlaneOperator,
		// Whatever the account says: others harden accounts.
		AutomountServiceAccountToken: new(true),
		ImagePullSecrets:             []corev1.LocalObjectReference{{Name: hypershift.PullSecret}},
		PriorityClassName:            w.PriorityClass,
		NodeSelector:                 maps.Clone(w.NodeSelector),
		Tolerations:                  slices.Clone(w.Tolerations),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
	if !w.SCC {
		pod.Spec.SecurityContext.RunAsUser = new(w.uid())
	}
	c := corev1.Container{
		Name:            hypershift.ControlPlaneOperator,
		Image:           w.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/usr/bin/control-plane-operator"},
		Args: []string{
			"run",
			"--namespace", "$(MY_NAMESPACE)",
			"--deployment-name", hypershift.ControlPlaneOperator,
			"--metrics-addr", "0.0.0.0:8080",
			fmt.Sprintf("--enable-ci-debug-output=%t", w.EnableCIDebugOutput),
			flagRegistryOverrides + "=" + registryOverrides,
			// Always there: what an apply names no more might stay.
			flagImageOverrides + "=" + w.ImageOverrides,
		},
		Env: vars,
		Ports: []corev1.ContainerPort{
			{Name: "metrics", ContainerPort: 8080, Protocol: corev1.ProtocolTCP},
			{Name: "http", ContainerPort: 6060, Protocol: corev1.ProtocolTCP},
		},
		LivenessProbe:  probe("/healthz", 60),
		ReadinessProbe: probe("/readyz", 15),
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("80Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	w.mount(&pod.Spec, &c)
	w.Cloud.grant(&pod.Spec, &c, w.hc)
	pod.Spec.Containers = slices.Insert(pod.Spec.Containers, 0, c)
	return d, nil
}

// env returns the variables of the container, in HyperShift's order.
func (w *workload) env() ([]corev1.EnvVar, error) {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
		}}
	}
	vars := []corev1.EnvVar{
		field("MY_NAMESPACE", "metadata.namespace"),
		field("POD_NAME", "metadata.name"),
		{Name: "CONTROL_PLANE_OPERATOR_IMAGE", Value: w.Image},
		{Name: "HOSTED_CLUSTER_CONFIG_OPERATOR_IMAGE", Value: w.Image},
		// HyperShift's control-plane-operator has these programs. This operator's image has not.
		{Name: "SOCKS5_PROXY_IMAGE", Value: w.Image},
		{Name: "AVAILABILITY_PROBER_IMAGE", Value: w.Image},
		{Name: "TOKEN_MINTER_IMAGE", Value: w.Image},
		{Name: envRelease, Value: w.Release},
	}
	overrides, err := w.overrides()
	if err != nil {
		return nil, err
	}
	vars = append(vars, overrides...)
	vars = append(vars,
		corev1.EnvVar{Name: envCertRotationScale, Value: cmp.Or(w.CertRotationScale, 24*time.Hour).String()},
		corev1.EnvVar{Name: "HYPERSHIFT_FEATURESET", Value: w.FeatureSet},
	)
	if !w.SCC {
		vars = append(vars, corev1.EnvVar{Name: "DEFAULT_SECURITY_CONTEXT_UID", Value: fmt.Sprint(w.uid())})
	}
	vars = append(vars, corev1.EnvVar{Name: "METRICS_SET", Value: cmp.Or(w.MetricsSet, "Telemetry")})
	for _, v := range []corev1.EnvVar{{Name: "CERTIFICATE_VALIDITY", Value: w.CertificateValidity}, {Name: "CERTIFICATE_RENEWAL_PERCENTAGE", Value: w.CertificateRenewal}} {
		if v.Value != "" {
			vars = append(vars, v)
		}
	}
	vars = append(vars, operator.HandOnNetworks(w.RefuseNetworks)...)
	vars = append(vars, operator.HandOnSignatures(w.Signatures)...)
	return append(vars, w.PassedOn...), nil
}

// overrides returns the variables that hand rules on. With a ConfigMap they are the same
// for all rules, since a change of rules must change no Deployment: HyperShift's variable
// says "none", and the document is a file.
func (w *workload) overrides() ([]corev1.EnvVar, error) {
	if w.Handover == HandoverConfigMap {
		return []corev1.EnvVar{{Name: handover.ImageOverridesVariable, Value: "="}}, nil
	}
	vars, err := w.rules.vars()
	var out []corev1.EnvVar
	for _, v := range vars {
		out = append(out, corev1.EnvVar{Name: v.Name, Value: v.Value})
	}
	return out, err
}

// mount adds the volumes: the rules, where a ConfigMap has them, the CA bundles, and what
// HyperShift's control-plane-operator may write to.
func (w *workload) mount(pod *corev1.PodSpec, c *corev1.Container) {
	if w.Handover == HandoverConfigMap {
		c.Args = append(c.Args, flagOverridesFile+"="+handover.File)
		hypershift.MountOverrides(pod, c)
	}
	if w.TrustBundle {
		hypershift.MountUserCA(pod, c, hypershift.UserCABundle)
	}
	hypershift.MountManagedCA(pod, c)
	if w.HyperShifts { // whose root is read-only under its own operator too
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "tmp-dir", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "tmp-dir", MountPath: "/tmp"})
	}
}

func probe(path string, period int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromInt32(6060), Scheme: corev1.URISchemeHTTP,
		}},
		InitialDelaySeconds: 15,
		PeriodSeconds:       period,
		TimeoutSeconds:      5,
		SuccessThreshold:    1,
		FailureThreshold:    3,
	}
}
