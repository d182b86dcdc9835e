package hostedcontrolplane_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
)

func read(vars map[string]string, o hcpkg.Options) (hcpkg.Inputs, error) {
	o.LookupEnv = func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	return o.Read()
}

// The flags and the environment that the hypershift-operator writes.
func TestOptions(t *testing.T) {
	in, err := read(map[string]string{
		"CONTROL_PLANE_OPERATOR_IMAGE": operatorImage, "TOKEN_MINTER_IMAGE": "quay.io/h/minter:1", "CERT_ROTATION_SCALE": "24h0m0s",
		"DEFAULT_SECURITY_CONTEXT_UID": "1001", "OPERATE_ON_RELEASE_IMAGE": "quay.io/r/r:1", "HTTPS_PROXY": "http://p:1", "NO_PROXY": "a",
		"MIRRORCHAIN_SIGNATURES": "{}", // the ignition server reads it
	}, hcpkg.Options{Namespace: "n", Images: map[string]*string{
		"TOKEN_MINTER_IMAGE": new("quay.io/h/flag:1"), "AVAILABILITY_PROBER_IMAGE": new("quay.io/h/prober:1"), "SOCKS5_PROXY_IMAGE": new(""),
	}, RegistryOverrides: "=", ImageOverrides: "etcd=quay.io/h/etcd:1,odd,token-minter=quay.io/h/minter:1", OverridesFile: "/f", RefuseNetworks: "10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	s := in.Settings
	if s.CertificateDay != 24*time.Hour || *s.UID != 1001 || s.OperateOnRelease != "quay.io/r/r:1" || !s.Mounted || len(s.RegistryOverrides) != 0 {
		t.Errorf("settings %+v", s)
	}
	if !slices.Equal(s.Overridden, []string{"etcd"}) {
		t.Errorf("overridden components of the release are %q", s.Overridden)
	}
	if len(s.Env) != 4 || s.Env[0].Name != "HTTPS_PROXY" || s.Env[1].Value != "a,kube-apiserver" || s.Env[2].Value != "10.0.0.0/8" || s.Env[3].Name != "MIRRORCHAIN_SIGNATURES" || s.Env[3].Value != "{}" || len(in.Warnings) != 1 {
		t.Errorf("env %v, warnings %q", s.Env, in.Warnings)
	}
	for name, want := range map[string]string{"etcd": "quay.io/h/etcd:1", "token-minter": "quay.io/h/minter:1", "socks5-proxy": operatorImage, "availability-prober": "quay.io/h/prober:1"} {
		if got := in.Components[name].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestOptionsNameWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		options     hcpkg.Options
		want        string
	}{
		{"", "", hcpkg.Options{}, "--namespace"},
		{"CONTROL_PLANE_OPERATOR_IMAGE", "", hcpkg.Options{Namespace: "n"}, "CONTROL_PLANE_OPERATOR_IMAGE"},
		{"SOCKS5_PROXY_IMAGE", "NO IMAGE", hcpkg.Options{Namespace: "n"}, "SOCKS5_PROXY_IMAGE"},
		{"", "", hcpkg.Options{Namespace: "n", Images: map[string]*string{"SOCKS5_PROXY_IMAGE": new("NO IMAGE")}}, "--socks5-proxy-image: "},
		{"CERT_ROTATION_SCALE", "a day", hcpkg.Options{Namespace: "n"}, "CERT_ROTATION_SCALE"},
		{"CERT_ROTATION_SCALE", "-1h", hcpkg.Options{Namespace: "n"}, "CERT_ROTATION_SCALE"},
		{"DEFAULT_SECURITY_CONTEXT_UID", "root", hcpkg.Options{Namespace: "n"}, "DEFAULT_SECURITY_CONTEXT_UID"},
		{"", "", hcpkg.Options{Namespace: "n", RegistryOverrides: "a"}, "--registry-overrides#1"},
	} {
		vars := map[string]string{"CONTROL_PLANE_OPERATOR_IMAGE": operatorImage}
		if tc.name != "" {
			vars[tc.name] = tc.value
		}
		if _, err := read(vars, tc.options); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s=%q %+v: got %v, want an error that names %s", tc.name, tc.value, tc.options, err, tc.want)
		}
	}
}
