package deploy_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// poolOf is what a process started for it looks for among the system's authorities.
const poolOf = "MIRRORCHAIN_TEST_AUTHORITY"

// ubi is where UBI 9 has its authorities: one file, and links to it. Targets are
// relative here so that they hold below a folder; there some are absolute.
var ubi = struct {
	file  string
	links map[string]string
}{
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	map[string]string{
		"/etc/pki/tls/certs/ca-bundle.crt": "../../ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/pki/tls/cert.pem":            "../ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/certs":                   "../pki/tls/certs",
		"/etc/ssl/cert.pem":                "../pki/tls/cert.pem",
	},
}

// goLooks are the places where a Go program on Linux looks for authorities if no
// variable says where (crypto/x509), files first.
var goLooks = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// Whatever a Deployment mounts, and whether or not the ConfigMap is there, the
// programs of the control plane's image have the public authorities.
func TestAuthoritiesAreNotMountedOver(t *testing.T) {
	if want := os.Getenv(poolOf); want != "" {
		lookForAuthority(t, want)
		return
	}
	root := t.TempDir()
	authority := layImage(t, root)
	path := buildImage(t, root)["SSL_CERT_FILE"]
	if path == "" {
		t.Fatal("the image does not say where authorities are")
	}
	var files []string
	for _, pattern := range []string{"hostedcluster/testdata/deployment-*.yaml", "hostedcontrolplane/testdata/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(deploy.Folder(t, "")), "cmd/internal", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no Deployments: %v", err)
		}
		files = append(files, found...)
	}
	hidden := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			overlay := t.TempDir()
			if err := os.CopyFS(overlay, os.DirFS(root)); err != nil {
				t.Fatal(err)
			}
			for _, dir := range mountPaths(t, file) {
				// As a kubelet does where nothing is in the volume.
				if err := os.RemoveAll(overlay + dir); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(overlay+dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if !anyIsThere(overlay, goLooks) {
				hidden++
			}
			cmd := exec.Command(os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
			cmd.Env = []string{"SSL_CERT_FILE=" + overlay + path, "SSL_CERT_DIR=" + overlay + "/etc/pki/tls/certs", poolOf + "=" + authority}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("with SSL_CERT_FILE=%s: %v\n%s", path, err, out)
			}
		})
	}
	if hidden == 0 {
		t.Error("no Deployment mounts anything over the authorities of UBI 9, so this test shows nothing")
	}
}

// layImage makes the files of UBI 9 below root, and returns the file of the only
// authority in them.
func layImage(t *testing.T, root string) string {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	bundle := ca.PEM()
	for _, dir := range append([]string{ubi.file}, "/etc/pki/tls/certs/x", "/etc/ssl/x") {
		if err := os.MkdirAll(filepath.Dir(root+dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+ubi.file, bundle, 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range ubi.links {
		if err := os.Symlink(target, root+link); err != nil {
			t.Fatal(err)
		}
	}
	alone := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(alone, bundle, 0o644); err != nil {
		t.Fatal(err)
	}
	return alone
}

// buildImage does below root what the Containerfile says of the control plane's image,
// as far as it is about authorities, and returns its environment.
func buildImage(t *testing.T, root string) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, s := range readContainerfile(t) {
		if s.name != "control-plane" {
			continue
		}
		for _, in := range s.instructions {
			switch f := strings.Fields(in[1]); {
			case in[0] == "ENV":
				name, value, _ := strings.Cut(in[1], "=")
				env[name] = value
			case in[0] == "COPY" && f[0] == "--from=ubi":
				data, err := os.ReadFile(root + f[1])
				if err != nil {
					t.Fatal(err)
				}
				write(t, root+f[2], data)
			}
		}
	}
	return env
}

// mountPaths returns what the containers of the Deployment in a file mount.
func mountPaths(t *testing.T, file string) (dirs []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(data), "\n---") {
		var d appsv1.Deployment
		if err := yaml.Unmarshal([]byte(doc), &d); err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Spec.Template.Spec.Containers {
			for _, m := range c.VolumeMounts {
				dirs = append(dirs, m.MountPath)
			}
		}
	}
	if len(dirs) == 0 {
		t.Fatalf("%s mounts nothing", file)
	}
	return dirs
}

func anyIsThere(root string, names []string) bool {
	for _, name := range names {
		if data, err := os.ReadFile(root + name); err == nil && len(data) > 0 {
			return true
		}
	}
	return false
}

// lookForAuthority runs in the process that has the image's environment.
func lookForAuthority(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no certificate")
	}
	want, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := want.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Errorf("SSL_CERT_FILE=%s: %v", os.Getenv("SSL_CERT_FILE"), err)
	}
}
