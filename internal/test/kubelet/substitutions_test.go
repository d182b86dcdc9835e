package kubelet

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestCommand(t *testing.T) {
	b := &box{root: "/tmp/pod", mounts: []string{"/etc/overrides", "/shared", "/tmp"}, ports: map[int32]string{8080: "127.0.0.1:1", 6060: "127.0.0.1:2"}}
	for name, c := range map[string]struct {
		args, want []string
	}{
		"variables": {
			[]string{"--namespace", "$(NS)", "--x=$(NS)", "$$(NS)", "$(NOBODY)", "a$b"},
			[]string{"--namespace", "one", "--x=one", "$(NS)", "$(NOBODY)", "a$b"},
		},
		"paths": {
			[]string{"/shared/a", "--file=/etc/overrides/b.json", `cat < "/tmp" > /shared/99.yaml`, "/etc/overridesX", "x/shared/y", "host/shared", "/shared:/tmp"},
			[]string{"/tmp/pod/shared/a", "--file=/tmp/pod/etc/overrides/b.json", `cat < "/tmp/pod/tmp" > /tmp/pod/shared/99.yaml`, "/etc/overridesX", "x/shared/y", "host/shared", "/tmp/pod/shared:/tmp/pod/tmp"},
		},
		"addresses": {
			[]string{":8080", "0.0.0.0:6060", "--at=:8080", "--at=0.0.0.0:6060", ":9", "1.2.3.4:8080", "registry:8080", "--at=registry:8080"},
			[]string{"127.0.0.1:1", "127.0.0.1:2", "--at=127.0.0.1:1", "--at=127.0.0.1:2", ":9", "1.2.3.4:8080", "registry:8080", "--at=registry:8080"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := Substitutions{Programs: map[string]string{"/usr/bin/x": "/built/x"}, Defaults: map[string][]string{"x": {"--more=:8080"}, "y": {"not for x"}}}
			program, args, vars, err := s.command(b, corev1.Container{Name: "x", Command: []string{"/usr/bin/x"}, Args: c.args}, map[string]string{"NS": "one"})
			if err != nil {
				t.Fatal(err)
			}
			if want := append(c.want, "--more=127.0.0.1:1"); program != "/built/x" || !slices.Equal(args, want) {
				t.Errorf("got %s %q\nwant %q", program, args, want)
			}
			for _, v := range []string{"NS=one", "KUBECONFIG=/tmp/pod/var/run/kubeconfig", "SSL_CERT_DIR=/tmp/pod/etc/pki/tls/certs", "HOME=/tmp/pod/home"} {
				if !slices.Contains(vars, v) {
					t.Errorf("the environment %q lacks %s", vars, v)
				}
			}
		})
	}
	if _, _, _, err := (Substitutions{}).command(b, corev1.Container{Command: []string{"/usr/bin/x"}}, nil); err == nil {
		t.Error("a program that nobody has is run")
	}
}

func TestEnvironment(t *testing.T) {
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	got, err := environment(corev1.Container{Env: []corev1.EnvVar{
		{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)$(C)"}, {Name: "C", Value: "3"},
		{Name: "NS", ValueFrom: field("metadata.namespace")}, {Name: "POD", ValueFrom: field("metadata.name")},
	}}, "ns", "pod-1")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "1", "B": "1$(C)", "C": "3", "NS": "ns", "POD": "pod-1"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, err := environment(corev1.Container{Env: []corev1.EnvVar{{Name: "X", ValueFrom: field("spec.nodeName")}}}, "ns", "pod"); err == nil {
		t.Error("a field that is not known is nothing")
	}
}
