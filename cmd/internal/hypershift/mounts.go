package hypershift

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Names of the volumes of an operator's pod. Those of CA bundles are HyperShift's.
const (
	UserCAVolume    = "trusted-ca"
	ManagedCAVolume = ManagedCABundle
	OverridesVolume = handover.ConfigMap
)

// MountUserCA mounts the ConfigMap name, the copy of an additional CA bundle, where
// [trust.DefaultBundles] finds it.
func MountUserCA(pod *corev1.PodSpec, c *corev1.Container, name string) {
	mount(pod, c, UserCAVolume, trust.UserDir, configMap(name, CABundleKey, trust.UserFile))
}

// MountManagedCA mounts the CA bundle of the management cluster where
// [trust.DefaultBundles] finds it. It need not be there.
func MountManagedCA(pod *corev1.PodSpec, c *corev1.Container) {
	from := configMap(ManagedCABundle, CABundleKey, trust.ManagedFile)
	from.Optional = new(true)
	mount(pod, c, ManagedCAVolume, trust.ManagedDir, from)
}

// MountOverrides mounts the ConfigMap with the mirror rules at [handover.MountDir].
func MountOverrides(pod *corev1.PodSpec, c *corev1.Container) {
	mount(pod, c, OverridesVolume, handover.MountDir, configMap(handover.ConfigMap, handover.Key, handover.Key))
}

func configMap(name, key, file string) *corev1.ConfigMapVolumeSource {
	return &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: name},
		Items:                []corev1.KeyToPath{{Key: key, Path: file}},
	}
}

// mount mounts a folder, for a single file that is mounted is never updated.
func mount(pod *corev1.PodSpec, c *corev1.Container, volume, dir string, from *corev1.ConfigMapVolumeSource) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{ConfigMap: from}})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: true})
}
