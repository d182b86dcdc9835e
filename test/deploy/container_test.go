package deploy_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/workdir"
)

// container is how a container runtime runs an image, as far as that is about files and rights. The
// network and the processes are those of the test.
type container struct {
	Root            string            // the unpacked image
	Volumes         map[string]string // folders of this machine, by where they are in the container; read-only
	UID, GID        int
	ReadOnly        bool // the root
	NoCapabilities  bool
	NoNewPrivileges bool

	env []string
}

// containerVariable has the container that a process of this test is to become.
const containerVariable = "MIRRORCHAIN_TEST_CONTAINER"

// workDir is what lasts as long as the tests; set once, before they run.
var workDir string

func TestMain(m *testing.M) {
	if text := os.Getenv(containerVariable); text != "" {
		var c container
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = os.Unsetenv(containerVariable)
		}
		if err == nil {
			err = enter(&c, os.Args[1:])
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(workdir.Run(m, "mirrorchain-deploy-", &workDir))
}

// newContainer unpacks an image. It skips the test where none can be run.
func newContainer(t *testing.T, img v1.Image) *container {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root can run a container on Linux without further tools")
	}
	c := &container{}
	if out, err := c.command(t, "").CombinedOutput(); err != nil {
		t.Skipf("this machine lets nobody make a mount namespace, as inside another container: %s", out)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := fmt.Sscanf(config.Config.User, "%d:%d", &c.UID, &c.GID); n != 2 || c.UID == 0 {
		t.Fatalf("the image's user is %q (%v); want numbers other than 0", config.Config.User, err)
	}
	c.env = config.Config.Env
	c.Root = filepath.Join(t.TempDir(), "root")
	unpack(t, img, c.Root)
	return c
}

// podContainer returns the container of a pod with the rights that its securityContext leaves, the
// account's token where a kubelet puts it, and the certificates of registries.
func podContainer(t *testing.T, pod *corev1.Pod, account *rest.Config, certs string) *container {
	t.Helper()
	made, err := builtImages()
	if err != nil {
		t.Fatal(err)
	}
	c := newContainer(t, made.image(t, "operator", runtime.GOARCH))
	own, whole := pod.Spec.Containers[0].SecurityContext, pod.Spec.SecurityContext
	if own == nil || own.RunAsUser != nil || own.ReadOnlyRootFilesystem == nil || own.AllowPrivilegeEscalation == nil || own.Capabilities == nil ||
		whole == nil || whole.RunAsUser != nil || whole.RunAsNonRoot == nil || !*whole.RunAsNonRoot {
		t.Fatalf("securityContext %+v of the pod and %+v of the container: want an unprivileged one, with the user of the image", whole, own)
	}
	c.ReadOnly, c.NoNewPrivileges = *own.ReadOnlyRootFilesystem, !*own.AllowPrivilegeEscalation
	for _, dropped := range own.Capabilities.Drop {
		c.NoCapabilities = c.NoCapabilities || dropped == "ALL"
	}
	authority, err := os.ReadFile(account.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	token := t.TempDir()
	write(t, filepath.Join(token, "token"), []byte(account.BearerToken))
	write(t, filepath.Join(token, "ca.crt"), authority)
	write(t, filepath.Join(token, "namespace"), []byte(pod.Namespace))
	c.mount(t, "/var/run/secrets/kubernetes.io/serviceaccount", token)
	c.mount(t, "/etc/containers/certs.d", certs)
	host, port, err := net.SplitHostPort(account.Host)
	if err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
	return c
}

// mount mounts a folder. All can read what is in it, as in the volumes that a kubelet makes.
func (c *container) mount(t *testing.T, at, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, map[bool]os.FileMode{true: 0o755, false: 0o644}[d.IsDir()])
	})
	if err == nil {
		err = os.MkdirAll(filepath.Join(c.Root, at), 0o755) // as runtimes do, below what the container sees
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.Volumes == nil {
		c.Volumes = map[string]string{}
	}
	c.Volumes[at] = folder
}

// config runs a program of the image with variables beside those of the image.
func (c *container) config(path string, args, env []string) process.Config {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	all := append([]string{containerVariable + "=" + string(text)}, c.env...)
	return process.Config{Path: os.Args[0], Args: append([]string{path}, args...), Env: append(all, env...)}
}

func (c *container) command(t *testing.T, path string, args ...string) *exec.Cmd {
	cfg := c.config(path, args, nil)
	cmd := exec.CommandContext(t.Context(), cfg.Path, cfg.Args...)
	cmd.Env = cfg.Env
	return cmd
}

// confined looks at a process of the container from outside.
func (c *container) confined(t *testing.T, pid int) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.Join(strings.Fields(value), " ")
	}
	const none = "0000000000000000"
	for name, want := range map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "Groups": "", "NoNewPrivs": "1",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
	} {
		if status[name] != want {
			t.Errorf("%s of the operator is %q, want %q", name, status[name], want)
		}
	}
	if err := os.WriteFile(filepath.Join(proc, "root/tmp/x"), nil, 0o600); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a file in the operator's root can be written: %v", err)
	}
}

// unpack writes what an image has below a folder.
func unpack(t *testing.T, img v1.Image, to string) {
	t.Helper()
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	content := mutate.Extract(img)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name, mode := filepath.Clean(h.Name), h.FileInfo().Mode()
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = root.WriteFile(name, data, 0o600)
			}
		default:
			t.Fatalf("%s: a kind of file that this test does not know", h.Name)
		}
		if err == nil {
			err = root.Chmod(name, mode) // whatever the umask
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
