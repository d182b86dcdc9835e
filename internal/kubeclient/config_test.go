package kubeclient

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestConnectionDefaults(t *testing.T) {
	given := &rest.Config{Host: "https://127.0.0.1:6443", QPS: -1, Timeout: 1}
	got, err := Connect(Config{REST: given})
	if err != nil {
		t.Fatal(err)
	}
	if got.QPS != defaultQPS || got.Burst != defaultBurst {
		t.Errorf("QPS and burst are %v and %d, want %v and %d", got.QPS, got.Burst, defaultQPS, defaultBurst)
	}
	if got.Timeout != 0 {
		t.Error("the timeout is kept; it would end watches")
	}
	if given.QPS != -1 || given.Timeout != 1 || given.UserAgent != "" {
		t.Error("the caller's own configuration was changed")
	}

	got, err = Connect(Config{REST: &rest.Config{QPS: 100, Burst: 7, UserAgent: "mine"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.QPS != 100 || got.Burst != 7 || got.UserAgent != "mine" {
		t.Errorf("QPS, burst and user agent are %v, %d and %q, want the caller's", got.QPS, got.Burst, got.UserAgent)
	}
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: east
contexts:
- {name: east, context: {cluster: east, user: reader}}
- {name: west, context: {cluster: west, user: reader}}
clusters:
- {name: east, cluster: {server: "https://east.example.com:6443"}}
- {name: west, cluster: {server: "https://west.example.com:6443"}}
users:
- {name: reader, user: {token: ` + secret + `}}
`

const secret = "sha256~not-to-be-printed"

func TestKubeconfig(t *testing.T) {
	// Nothing of the machine's own.
	for _, name := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	good := write(t, kubeconfig)
	broken := write(t, strings.Replace(kubeconfig, "users:", "users: "+secret, 1))

	for _, c := range []struct {
		name string
		cfg  Config
		host string
		err  string
	}{
		{name: "current context", cfg: Config{Kubeconfig: good}, host: "https://east.example.com:6443"},
		{name: "named context", cfg: Config{Kubeconfig: good, Context: "west"}, host: "https://west.example.com:6443"},
		{name: "unknown context", cfg: Config{Kubeconfig: good, Context: "north"}, err: `"north" does not exist`},
		{name: "no such file", cfg: Config{Kubeconfig: good + "x"}, err: good + "x"},
		{name: "broken file", cfg: Config{Kubeconfig: broken}, err: broken},
		{name: "nothing", cfg: Config{}, err: "--kubeconfig"},
		{name: "two connections", cfg: Config{REST: &rest.Config{}, Kubeconfig: good}, err: "drop one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.cfg, Resource{Group: "config.openshift.io", Versions: []string{"v1"}, Resource: "imagedigestmirrorsets"})
			got, err2 := Connect(c.cfg)
			if c.err == "" {
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				if got.Host != c.host {
					t.Errorf("the host is %q, want %q", got.Host, c.host)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("got %v, want an error with %q", err, c.err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestKubeconfigOfTheEnvironment(t *testing.T) {
	t.Setenv("KUBECONFIG", write(t, kubeconfig))
	got, err := Connect(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://east.example.com:6443"; got.Host != want {
		t.Errorf("the host is %q, want %q", got.Host, want)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What nobody writes to, or what never ends, is refused instead of being read.
func TestKubeconfigIsFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		t.Setenv("KUBECONFIG", "")
		if _, err := Connect(Config{Kubeconfig: path}); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
		t.Setenv("KUBECONFIG", write(t, kubeconfig)+string(filepath.ListSeparator)+path)
		if _, err := Connect(Config{}); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("%s in the environment: %v", path, err)
		}
	}
	if _, err := Connect(Config{Kubeconfig: os.DevNull}); err == nil || !strings.Contains(err.Error(), "no kubeconfig") {
		t.Errorf("the null device: %v, want what an empty file gets", err)
	}
}
