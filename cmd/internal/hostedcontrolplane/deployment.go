package hostedcontrolplane

import (
	"path"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Deployment returns the ignition server's Deployment.
func (c IgnitionConfig) Deployment() (*appsv1.Deployment, error) {
	gate, err := featureGate(c.HCP)
	if err != nil {
		return nil, err
	}
	replicas, surge, unavailable := int32(1), intstr.FromInt32(1), intstr.FromInt32(0)
	if c.HCP.Spec.ControllerAvailabilityPolicy == hyperv1.HighlyAvailable {
		replicas = 2
	}
	history := int32(2)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: meta(c.HCP, hypershift.IgnitionServer),
		Spec: appsv1.DeploymentSpec{
			Replicas:             &replicas,
			RevisionHistoryLimit: &history,
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{"app": hypershift.IgnitionServer}},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: c.podMeta(),
				Spec:       c.pod(gate),
			},
		},
	}, nil
}

func (c IgnitionConfig) podMeta() metav1.ObjectMeta {
	labels := map[string]string{}
	for k, v := range c.HCP.Spec.Labels {
		labels[k] = v
	}
	labels["app"] = hypershift.IgnitionServer
	labels[hyperv1.ControlPlaneComponentLabel] = hypershift.IgnitionServer
	labels[hypershift.ControlPlaneLabel] = c.HCP.Namespace
	labels[hypershift.ManagementAPILabel] = "true"
	annotations := map[string]string{hyperv1.ReleaseImageAnnotation: hypershift.OperatedRelease(c.HCP)}
	if at, ok := c.HCP.Annotations[hyperv1.RestartDateAnnotation]; ok {
		annotations[hyperv1.RestartDateAnnotation] = at
	}
	return metav1.ObjectMeta{Labels: labels, Annotations: annotations}
}

func (c IgnitionConfig) pod(gate string) corev1.PodSpec {
	token, grace, yes := true, int64(10), true
	pod := corev1.PodSpec{
		ServiceAccountName:            hypershift.IgnitionServer,
		AutomountServiceAccountToken:  &token,
		ImagePullSecrets:              []corev1.LocalObjectReference{{Name: hypershift.PullSecret}},
		TerminationGracePeriodSeconds: &grace,
		PriorityClassName:             c.HCP.Annotations[hyperv1.ControlPlanePriorityClass],
		NodeSelector:                  c.HCP.Spec.NodeSelector,
		Tolerations: append([]corev1.Toleration{
			{Key: controlPlaneNode, Operator: corev1.TolerationOpEqual, Value: "true", Effect: corev1.TaintEffectNoSchedule},
			{Key: clusterNode, Operator: corev1.TolerationOpEqual, Value: c.HCP.Namespace, Effect: corev1.TaintEffectNoSchedule},
		}, c.HCP.Spec.Tolerations...),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: c.UID, FSGroup: c.UID,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		InitContainers: []corev1.Container{c.featureGateContainer(gate)},
	}
	server := c.container()
	c.mount(&pod, &server)
	pod.Containers = []corev1.Container{server}
	return pod
}

// featureGateContainer writes the feature gate for the server. It is a command of our
// own, so that the image need have no shell; the YAML comes in its environment.
func (c IgnitionConfig) featureGateContainer(gate string) corev1.Container {
	return corev1.Container{
		Name:                     "fetch-feature-gate",
		Image:                    c.Image,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Command:                  []string{program, WriteFeatureGate, FeatureGateFile},
		Env:                      []corev1.EnvVar{{Name: FeatureGateEnv, Value: gate}},
		Resources:                requests(),
		SecurityContext:          restricted(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts:             []corev1.VolumeMount{{Name: "shared", MountPath: path.Dir(FeatureGateFile)}},
	}
}

func (c IgnitionConfig) container() corev1.Container {
	args := []string{
		"--cert-file", "/var/run/secrets/ignition/serving-cert/tls.crt",
		"--key-file", "/var/run/secrets/ignition/serving-cert/tls.key",
		"--feature-gate-manifest=" + FeatureGateFile,
		"--registry-overrides", c.Overrides.RegistryOverrides,
		"--platform", string(c.HCP.Spec.Platform.Type),
	}
	if c.Overrides.Mounted {
		args = append(args, "--overrides-file", handover.File)
	}
	env := []corev1.EnvVar{{
		Name:      "MY_NAMESPACE",
		ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
	}}
	for _, v := range c.Overrides.Env {
		env = append(env, corev1.EnvVar{Name: v.Name, Value: v.Value})
	}
	return corev1.Container{
		Name:            hypershift.IgnitionServer,
		Image:           c.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{program, hypershift.IgnitionServer},
		Args:            args,
		Env:             append(env, c.Env...),
		Ports: []corev1.ContainerPort{
			{Name: "https", ContainerPort: 9090, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: 8080, Protocol: corev1.ProtocolTCP},
		},
		LivenessProbe:            probe("/healthz", 120, 60, 6),
		ReadinessProbe:           probe("/readyz", 0, 10, 3),
		Resources:                requests(),
		SecurityContext:          restricted(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// mount adds the volumes to pod and mounts them in server.
func (c IgnitionConfig) mount(pod *corev1.PodSpec, server *corev1.Container) {
	secretMode := int32(0o640)
	// A limit that is met evicts the pod, so it is no smaller than what the server's own
	// limits allow: images being read, files kept, and payloads being made.
	empty := func(name, limit string) corev1.Volume {
		size := resource.MustParse(limit)
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}}
	}
	pod.Volumes = []corev1.Volume{
		{Name: "serving-cert", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: hypershift.IgnitionServer, DefaultMode: &secretMode}}},
		empty("payloads", "24Gi"), empty("shared", "16Mi"), empty("tmp-dir", "1Gi"),
	}
	server.VolumeMounts = []corev1.VolumeMount{
		{Name: "serving-cert", MountPath: "/var/run/secrets/ignition/serving-cert"},
		{Name: "payloads", MountPath: "/payloads"},
		{Name: "shared", MountPath: path.Dir(FeatureGateFile)},
		{Name: "tmp-dir", MountPath: "/tmp"},
	}
	hypershift.MountManagedCA(pod, server)
	if bundle := c.HCP.Spec.AdditionalTrustBundle; bundle != nil {
		hypershift.MountUserCA(pod, server, bundle.Name)
	}
	if c.Overrides.Mounted {
		hypershift.MountOverrides(pod, server)
	}
}

// probe asks the server at path. It is ready once it has rules and the token Secrets had
// their turn, so that a rollout keeps the pod that serves them. /healthz says 503 for three
// minutes at most, which the liveness probe tolerates.
func probe(path string, delay, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromInt32(9090), Scheme: corev1.URISchemeHTTPS,
		}},
		InitialDelaySeconds: delay, PeriodSeconds: period, FailureThreshold: failures, SuccessThreshold: 1, TimeoutSeconds: 5,
	}
}

func requests() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("40Mi"),
	}}
}

// restricted returns what the restricted pod security standard requires of a container.
func restricted() *corev1.SecurityContext {
	yes, no := true, false
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
