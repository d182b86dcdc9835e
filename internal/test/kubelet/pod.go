package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

// kubeconfig is the path of the file in a pod's folder.
const kubeconfig = "/var/run/kubeconfig"

// pod is one pod of a Deployment.
type pod struct {
	name, namespace string
	template        string // as JSON
	spec            corev1.PodSpec
	root, log       string

	// Of the goroutine that runs the Deployments.
	process  *process.Process
	launched time.Time
	reported bool                         // that it has ended by itself
	written  map[string]map[string][]byte // content by mount point
	writes   int

	mu  sync.Mutex
	box *box
}

// newPod makes the folder of a pod: mounts, the ServiceAccount's credentials, and
// what the init containers do. It fails as long as something is not there.
func (k *Kubelet) newPod(ctx context.Context, d *appsv1.Deployment, template string) (*pod, error) {
	p := &pod{namespace: d.Namespace, template: template, spec: d.Spec.Template.Spec, written: map[string]map[string][]byte{}}
	k.mu.Lock()
	p.name = fmt.Sprintf("%s-%d", d.Name, k.started[types.NamespacedName{Namespace: d.Namespace, Name: d.Name}]+1)
	k.mu.Unlock()
	if len(p.spec.Containers) != 1 {
		return nil, fmt.Errorf("%d containers; want one", len(p.spec.Containers))
	}
	p.root = filepath.Join(k.dir, d.Namespace, p.name)
	p.log = filepath.Join(k.dir, d.Namespace+"-"+p.name+".log")
	if err := os.RemoveAll(p.root); err != nil { // of an attempt before
		return nil, err
	}
	for _, dir := range []string{"/tmp", "/home", filepath.Dir(kubeconfig)} {
		if err := os.MkdirAll(filepath.Join(p.root, dir), 0o755); err != nil {
			return nil, err
		}
	}
	for name, text := range k.subs.Files {
		file := filepath.Join(p.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := k.object(ctx, p, d); err != nil {
		return nil, err
	}
	if err := p.refresh(k.objects); err != nil {
		return nil, err
	}
	if err := k.credentials(ctx, p); err != nil {
		return nil, err
	}
	k.mu.Lock()
	if !slices.Contains(k.logs, p.log) {
		k.logs = append(k.logs, p.log)
	}
	k.mu.Unlock()
	for _, c := range p.spec.InitContainers {
		if err := k.initialise(ctx, p, c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// object creates the Pod in the API server, whose admission judges it, and where its
// process may look for itself.
func (k *Kubelet) object(ctx context.Context, p *pod, d *appsv1.Deployment) error {
	meta := d.Spec.Template.ObjectMeta.DeepCopy()
	meta.Name, meta.Namespace = p.name, p.namespace
	_, err := k.clients.CoreV1().Pods(p.namespace).Create(ctx, &corev1.Pod{ObjectMeta: *meta, Spec: p.spec}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // by an attempt before
		return nil
	}
	return err
}

// credentials writes a kubeconfig with a token of the pod's ServiceAccount, so that the
// process may do what that account may.
func (k *Kubelet) credentials(ctx context.Context, p *pod) error {
	account := p.spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	token, err := k.clients.CoreV1().ServiceAccounts(p.namespace).CreateToken(ctx, account, &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["pod"] = &clientcmdapi.Cluster{Server: "https://" + k.conn.Host, CertificateAuthority: k.conn.CAFile}
	cfg.AuthInfos["pod"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	cfg.Contexts["pod"] = &clientcmdapi.Context{Cluster: "pod", AuthInfo: "pod", Namespace: p.namespace}
	cfg.CurrentContext = "pod"
	return clientcmd.WriteToFile(*cfg, filepath.Join(p.root, kubeconfig))
}

// refresh brings the mounts up to date.
func (p *pod) refresh(objects reader) error {
	volumes := map[string]corev1.Volume{}
	for _, v := range p.spec.Volumes {
		volumes[v.Name] = v
	}
	at := map[string]string{}      // mount points by volume
	further := map[string]string{} // mount points, and the first one of the same volume
	for _, c := range slices.Concat(p.spec.InitContainers, p.spec.Containers) {
		for _, m := range c.VolumeMounts {
			if first, ok := at[m.Name]; ok && first != m.MountPath {
				further[m.MountPath] = first
				continue
			}
			if m.SubPath != "" || m.SubPathExpr != "" {
				return fmt.Errorf("volume %s: parts of volumes are not known here", m.Name)
			}
			at[m.Name] = m.MountPath
		}
	}
	for name, dir := range at {
		v, ok := volumes[name]
		if !ok {
			return fmt.Errorf("there is no volume %s", name)
		}
		content, err := objects.content(p.namespace, v)
		if err != nil {
			return fmt.Errorf("volume %s: %w", name, err)
		}
		before, there := p.written[dir]
		if there && maps.EqualFunc(before, content, slices.Equal) {
			continue
		}
		p.writes++
		if err := write(filepath.Join(p.root, dir), content, p.writes); err != nil {
			return fmt.Errorf("volume %s: %w", name, err)
		}
		p.written[dir] = content
	}
	for dir, first := range further {
		link := filepath.Join(p.root, dir)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(p.root, first), link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// initialise runs an init container to its end.
func (k *Kubelet) initialise(ctx context.Context, p *pod, c corev1.Container) error {
	_, proc, err := k.start(p, c)
	if err != nil {
		return err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		return proc.Kill()
	}
	if code := proc.ExitCode(); code != 0 {
		return fmt.Errorf("init container %s ended with exit code %d; %s", c.Name, code, proc.Tail())
	}
	return nil
}

func (k *Kubelet) start(p *pod, c corev1.Container) (*box, *process.Process, error) {
	b, err := k.subs.newBox(p.root, c)
	if err != nil {
		return nil, nil, err
	}
	env, err := environment(c, p.namespace, p.name)
	if err != nil {
		return nil, nil, err
	}
	program, args, vars, err := k.subs.command(b, c, env)
	if err != nil {
		return nil, nil, err
	}
	proc, err := process.Start(process.Config{Path: program, Args: args, Env: vars, Dir: p.root, Log: p.log})
	return b, proc, err
}

// launch starts the pod's container, anew if it has ended.
func (k *Kubelet) launch(p *pod) error {
	b, proc, err := k.start(p, p.spec.Containers[0])
	if err != nil {
		return err
	}
	p.process, p.launched = proc, time.Now()
	p.mu.Lock()
	p.box = b
	p.mu.Unlock()
	go func() {
		<-proc.Done()
		k.wake()
	}()
	return nil
}

func (p *pod) ended() bool {
	select {
	case <-p.process.Done():
		return true
	default:
		return false
	}
}

func (p *pod) addresses() map[int32]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.box.ports)
}

// ready asks the readiness probe.
func (p *pod) ready(ctx context.Context) error {
	probe := p.spec.Containers[0].ReadinessProbe
	if probe == nil {
		return nil
	}
	if probe.HTTPGet == nil {
		return fmt.Errorf("the readiness probe's kind is not known here")
	}
	port := probe.HTTPGet.Port.IntVal
	for _, c := range p.spec.Containers[0].Ports {
		if c.Name == probe.HTTPGet.Port.StrVal && c.Name != "" {
			port = c.ContainerPort
		}
	}
	address, ok := p.addresses()[port]
	if !ok {
		return fmt.Errorf("the container states no port %s, which the readiness probe asks", probe.HTTPGet.Port.String())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // as a kubelet does
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(string(probe.HTTPGet.Scheme))+"://"+address+probe.HTTPGet.Path, nil)
	if err != nil {
		return err
	}
	if probe.HTTPGet.Scheme == "" { // the API server says HTTP where nobody does
		return errors.New("the readiness probe has no scheme")
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return fmt.Errorf("the readiness probe says %s", resp.Status)
	}
	return nil
}
