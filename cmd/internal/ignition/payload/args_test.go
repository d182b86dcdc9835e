package payload

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// The table of HyperShift's local_ignitionprovider.go, version by version.
func TestArgs(t *testing.T) {
	const common = "bootstrap --root-ca=/w/config/root-ca.crt --infra-config-file=/w/config/cluster-infrastructure-02-config.yaml " +
		"--network-config-file=/w/config/cluster-network-02-config.yaml --proxy-config-file=/w/config/cluster-proxy-01-config.yaml " +
		"--config-file=/w/config/install-config.yaml --dns-config-file=/w/config/cluster-dns-02-config.yaml " +
		"--pull-secret=/w/config/pull-secret.yaml --dest-dir=/w/mco " +
		"--additional-trust-bundle-config-file=/w/config/user-ca-bundle-config.yaml --release-image=R"
	const references = " --image-references=/w/config/release-manifests/image-references --kube-ca=/w/config/signer-ca.crt"
	const old = " --machine-config-operator-image=i/machine-config-operator --machine-config-oscontent-image=i/machine-os-content " +
		"--infra-image=i/pod --keepalived-image=i/keepalived-ipfailover --coredns-image=i/coredns --haproxy-image=i/haproxy-router " +
		"--baremetal-runtimecfg-image=i/baremetal-runtimecfg --kube-ca=/w/config/root-ca.crt"
	const controller = "bootstrap --manifest-dir=/w/mcc --templates=/w/mcc/etc/mcc/templates --pull-secret=/w/mcc/machineconfigcontroller-pull-secret --dest-dir=/w/mcs"
	const server = "bootstrap --server-basedir=/w/mcs --bootstrap-kubeconfig=/w/mcs/kubeconfig --cert=/w/mcs/tls.crt --key=/w/mcs/tls.key --secure-port=1 --insecure-port=2"
	const before15 = "render --config-output-file config --asset-input-dir /d/input --asset-output-dir /d/output"
	const since15 = "--asset-output-dir /d/output --image-manifests=input --rendered-manifest-dir=/d/manifests --cluster-profile=ibm-cloud-managed"
	for version, want := range map[string]struct{ component, render, operator, controller, server string }{
		"4.12.44": {"cluster-config-operator", before15, common + old, controller, server},
		"4.13.0":  {"cluster-config-operator", before15, common + references, controller, server},
		"4.14.0-ec.3": {
			"cluster-config-operator", before15 + " --rendered-manifest-files=/d/manifests --payload-version=4.14.0-ec.3",
			common + " --payload-version=4.14.0-ec.3" + references, controller + " --payload-version=4.14.0-ec.3", server + " --payload-version=4.14.0-ec.3",
		},
		"4.15.1": {
			"cluster-config-api", since15 + " --payload-version=4.15.1",
			common + " --payload-version=4.15.1" + references, controller + " --payload-version=4.15.1", server + " --payload-version=4.15.1",
		},
		"4.20.0": {
			"cluster-config-api", since15 + " --payload-version=4.20.0",
			common + " --payload-version=4.20.0" + references, controller + " --payload-version=4.20.0", server + " --payload-version=4.20.0",
		},
		"5.0.0": {
			"cluster-config-api", since15 + " --payload-version=5.0.0",
			common + " --payload-version=5.0.0" + references, controller + " --payload-version=5.0.0", server + " --payload-version=5.0.0",
		},
	} {
		t.Run(version, func(t *testing.T) {
			v, err := parseVersion(version)
			if err != nil {
				t.Fatal(err)
			}
			same := func(what string, got []string, want string) {
				if g := strings.Join(got, " "); g != want {
					t.Errorf("%s\n got %s\nwant %s", what, g, want)
				}
			}
			image := func(c string) string { return "i/" + c }
			none := func(string) (string, bool) { return "", false }
			some := func(c string) (string, bool) { return "i/" + c, c == "mdns-publisher" }
			component, _ := renderer(v)
			same("component", []string{component}, want.component)
			same("render", renderArgs(v, "/d"), want.render)
			same("operator", operatorArgs(v, "/w", "R", image, none, false), want.operator)
			same("operator with more", operatorArgs(v, "/w", "R", image, some, true),
				want.operator+" --mdns-publisher-image=i/mdns-publisher --cloud-config-file=/w/mco/cloud.conf.configmap.yaml")
			same("controller", controllerArgs(v, "/w"), want.controller)
			same("server", serverArgs(v, "/w", 1, 2), want.server)
		})
	}
}

// A release before 4.13 may call its HAProxy by either name.
func TestHAProxy(t *testing.T) {
	for name, c := range map[string]struct {
		has  []string
		want string
	}{
		"both": {[]string{"haproxy", "haproxy-router"}, "i/haproxy"}, "HyperShift's": {[]string{"haproxy"}, "i/haproxy"},
		"OpenShift's": {[]string{"haproxy-router"}, "i/haproxy-router"},
	} {
		optional := func(c2 string) (string, bool) { return "i/" + c2, slices.Contains(c.has, c2) }
		image := func(c2 string) string {
			if c2 == "haproxy-router" && !slices.Contains(c.has, c2) {
				t.Errorf("%s: %s is said to be missing", name, c2)
			}
			return "i/" + c2
		}
		if args := operatorArgs(release{major: 4, minor: 12}, "/w", "R", image, optional, false); !slices.Contains(args, "--haproxy-image="+c.want) {
			t.Errorf("%s: %q; want --haproxy-image=%s", name, args, c.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for _, s := range []string{"", "4", "4.17", "v4.17.1", "4.17.1 ", "4.017.1", "4.17.99999999999999999999.1", "99999999999999999999.1.1"} {
		if v, err := parseVersion(s); err == nil {
			t.Errorf("%q is %+v", s, v)
		}
	}
}

// Published test vectors of 32-bit FNV-1a.
func TestHash(t *testing.T) {
	for want, v := range map[string]any{
		"811c9dc5": "",       // the offset basis of FNV-1a
		"e40c292c": "a",      // of one byte
		"bf9cf968": "foobar", // of several
	} {
		if got := Hash(v); got != want {
			t.Errorf("Hash(%v) = %s; want %s", v, got, want)
		}
	}
	if got, want := Hash([]byte("a")), Hash("[97]"); got != want {
		t.Errorf("Hash of bytes is %s; want that of the list of numbers, %s", got, want)
	}
}

func TestDecodeConfig(t *testing.T) {
	encode := func(s string) []byte {
		var b bytes.Buffer
		e := base64.NewEncoder(base64.StdEncoding, &b)
		z, _ := gzip.NewWriterLevel(e, 9)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		_ = e.Close()
		return b.Bytes()
	}
	if got, err := DecodeConfig(encode("config")); err != nil || string(got) != "config" {
		t.Errorf("%q, %v", got, err)
	}
	whole := encode("config")
	for name, b := range map[string][]byte{"nothing": nil, "no base64": []byte("{}"), "cut off": whole[:len(whole)-8], "no gzip": []byte("aGVsbG8gd29ybGQhISEh"), "bomb": encode(strings.Repeat("\x00", maxConfig+1))} {
		if _, err := DecodeConfig(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzMajorVersion(f *testing.F) {
	for _, s := range []string{"VERSION_ID=\"9.4\"\n", "ID=rhel\nVERSION_ID=8\n", "VERSION_ID=", "VERSION_ID='10.0'", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := majorVersion(s)
		if (err == nil) == (v == "") || strings.ContainsAny(v, ".\n") {
			t.Errorf("%q: %q, %v", s, v, err)
		}
	})
}

func FuzzStable(f *testing.F) {
	f.Add("read tcp 10.0.0.1:1->x: y @sha256:" + strings.Repeat("a", 64))
	f.Add("E1122 15:04:05.123456 77 main.go:1] x")
	f.Fuzz(func(t *testing.T, s string) {
		if got := stable(s); strings.Contains(got, "\n") {
			t.Errorf("%q has lines", got)
		}
	})
}
