package kubelet_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/kubelet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script tells what it was started with, and each change of a mounted file.
const script = `trap 'kill %1 2>/dev/null; exit 0' TERM
echo "start $WORD $(cat /shared/init)"
last=
while :; do
	now=$(cat /config/word)
	[ "$now" = "$last" ] || echo "word $now"
	last=$now
	sleep 0.05 & wait $!
done`

func TestDeployment(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	c := cluster.Start(t)
	clients := kubernetes.NewForConfigOrDie(c.Config())
	ctx := t.Context()
	const ns = "default"
	meta := metav1.ObjectMeta{Name: "speaker", Namespace: ns}
	volumes := func(names ...string) (v []corev1.Volume, m []corev1.VolumeMount) {
		v = []corev1.Volume{
			{Name: "shared", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "words"},
			}}},
		}
		for _, name := range names {
			m = append(m, corev1.VolumeMount{Name: name, MountPath: "/" + name})
		}
		return v, m
	}
	all, initial := volumes("shared")
	_, mounts := volumes("shared", "config")
	d := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "speaker"}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "speaker"}},
			Spec: corev1.PodSpec{
				ServiceAccountName: "speaker", Volumes: all,
				InitContainers: []corev1.Container{{
					Name: "init", Image: "none", Command: []string{"/bin/bash"}, Args: []string{"-c", "echo initialised > /shared/init"}, VolumeMounts: initial,
				}},
				Containers: []corev1.Container{{
					Name: "speaker", Image: "none", Command: []string{"/bin/bash", "-c", script}, VolumeMounts: mounts,
					Env: []corev1.EnvVar{{Name: "WORD", Value: "one"}, {Name: "PATH", Value: os.Getenv("PATH")}},
				}},
			},
		},
	}}
	k := kubelet.Run(t, c, kubelet.Substitutions{Programs: map[string]string{"/bin/bash": bash}})
	if d, err = clients.AppsV1().Deployments(ns).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// It waits for what it needs.
	if _, err := clients.CoreV1().ServiceAccounts(ns).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	words, err := clients.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "words", Namespace: ns}, Data: map[string]string{"word": "a", "gone": ""},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	said := func(want ...string) {
		t.Helper()
		cluster.Await(t, fmt.Sprintf("%q", want), func(context.Context) error {
			var all []string
			for _, file := range k.Logs() {
				data, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				all = append(all, strings.Split(strings.TrimSpace(string(data)), "\n")...)
			}
			if got := strings.Join(all, ", "); got != strings.Join(want, ", ") {
				return fmt.Errorf("got %s", got)
			}
			return nil
		})
	}
	said("start one initialised", "word a")
	if name := k.Ready(t, ns, "speaker").Name; name != "speaker-1" {
		t.Errorf("the pod is %s", name)
	}
	if _, err := clients.CoreV1().Pods(ns).Get(ctx, "speaker-1", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}

	// A changed ConfigMap restarts nothing.
	words.Data = map[string]string{"word": "b", "new": ""}
	if _, err := clients.CoreV1().ConfigMaps(ns).Update(ctx, words, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	said("start one initialised", "word a", "word b")
	if n := k.Started(ns, "speaker"); n != 1 {
		t.Errorf("%d pods were started", n)
	}

	// A changed template does, and metadata does not.
	d.Labels = map[string]string{"changed": "yes"}
	d.Spec.Template.Spec.Containers[0].Env[0].Value = "two"
	if _, err := clients.AppsV1().Deployments(ns).Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	said("start one initialised", "word a", "word b", "start two initialised", "word b")
	if name := k.Ready(t, ns, "speaker").Name; name != "speaker-2" || k.Started(ns, "speaker") != 2 {
		t.Errorf("the pod is %s, and %d were started", name, k.Started(ns, "speaker"))
	}
	if err := clients.AppsV1().Deployments(ns).Delete(ctx, "speaker", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, "the pod to be gone", func(ctx context.Context) error {
		list, err := clients.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d pods", len(list.Items))
		}
		return err
	})
}
