package hostedcluster

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// What HyperShift's control-plane-operator expects of the operator's environment reaches it.
func TestPassedOn(t *testing.T) {
	env := map[string]string{
		"RHOBS_MONITORING": "1", "ENABLE_SIZE_TAGGING": "0", "MANAGED_SERVICE": "ROSA-HCP", "IMAGE_KONNECTIVITY": "", "KUBE_FEATURE_WatchListClient": "false",
		"HOME": "/root",
	}
	got := map[string]string{}
	for _, v := range passedOn(lookupIn(env)) {
		got[v.Name] = v.Value
	}
	if want := map[string]string{"RHOBS_MONITORING": "1", "MANAGED_SERVICE": "ROSA-HCP", "KUBE_FEATURE_WatchListClient": "false"}; !maps.Equal(got, want) {
		t.Errorf("%v is passed on; want %v", got, want)
	}

	d, err := render(t, nil, func(w *workload) {
		w.PassedOn = []corev1.EnvVar{{Name: "MANAGED_SERVICE", Value: "ROSA-HCP"}}
		w.hc.Annotations = map[string]string{annotationCertificateValidity: "8760h", annotationCertificateRenewal: "0.3"}
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"MANAGED_SERVICE": "ROSA-HCP", "CERTIFICATE_VALIDITY": "8760h", "CERTIFICATE_RENEWAL_PERCENTAGE": "0.3"} {
		if got := envOf(d, name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
}

func TestCertRotationScale(t *testing.T) {
	for _, c := range []struct {
		flag time.Duration
		env  string
		want time.Duration
		fail string
	}{
		{0, "", 0, ""},
		{0, "12h0m0s", 12 * time.Hour, ""},
		{time.Hour, "12h0m0s", time.Hour, ""},
		{0, "a day", 0, `CERT_ROTATION_SCALE: "a day" is no duration`},
		{0, "-1h", 0, "CERT_ROTATION_SCALE"},
		{-time.Hour, "", 0, "--cert-rotation-scale: -1h0m0s is negative"},
	} {
		got, err := certRotationScale(c.flag, lookupIn(map[string]string{envCertRotationScale: c.env}))
		if got != c.want || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%v and %q: %v, %v; want %v, %s", c.flag, c.env, got, err, c.want, c.fail)
		}
	}
}

// The init container of HyperShift's Deployment hands the cluster's authorities on where both
// mounts are there, and ends well where they are not.
func TestInit(t *testing.T) {
	run := func(from, to string) string {
		t.Helper()
		cmd := initCommand(from, to)
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(nil)
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	from, to := filepath.Join(t.TempDir(), "tls-ca-bundle.pem"), filepath.Join(t.TempDir(), "tls-ca-bundle.pem")
	if got := run(from, to); got != "nothing to prepare\n" {
		t.Errorf("without authorities it says %q", got)
	}
	if err := os.WriteFile(from, []byte("authorities"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(from, "/does/not/exist/file"); !strings.Contains(got, "/does/not/exist is not mounted") {
		t.Errorf("without the other mount it says %q", got)
	}
	for range 2 { // a container may be started again
		if got := run(from, to); !strings.Contains(got, from) || !strings.Contains(got, to) {
			t.Errorf("it says %q", got)
		}
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "authorities" {
		t.Errorf("it wrote %q, %v", b, err)
	}
}
