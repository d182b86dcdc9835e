package kubelet

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
	corev1 "k8s.io/api/core/v1"
)

// Substitutions is all that a process has different from what the pod template says,
// since it runs in no container:
//
//   - programs of the image are found in Programs, other files of it are made of Files;
//   - below mount points, and of Files, paths are below the pod's own folder: where an argument or
//     a variable names a path, alone, behind "=" or in a script;
//   - an address to listen on, ":PORT" or "0.0.0.0:PORT" with a port that the
//     container states, is a free port of 127.0.0.1;
//   - Defaults are added, which say what the program would have by itself: paths and
//     addresses once more;
//   - KUBECONFIG stands for the files of the ServiceAccount that are found at a fixed
//     path, SSL_CERT_DIR and SSL_CERT_FILE for the places that a Go program looks
//     for authorities in, HOME and TMPDIR for folders that an image has.
type Substitutions struct {
	// Programs are paths on this machine by paths in images.
	Programs map[string]string
	// Files are contents of files that images have, by path.
	Files map[string]string
	// Defaults are arguments to add, by container name.
	Defaults map[string][]string
}

// Where a Go program finds authorities (crypto/x509): those that are mounted there, and
// those of the image, SSL_CERT_FILE in deploy/Containerfile.
const (
	certDir  = "/etc/pki/tls/certs"
	certFile = "/usr/share/mirrorchain/ca-bundle.crt"
)

// box is where one container's process lives.
type box struct {
	root   string // the pod's folder, in place of "/"
	mounts []string
	ports  map[int32]string // addresses by container port
}

// newBox finds free ports for a container.
func (s Substitutions) newBox(root string, c corev1.Container) (*box, error) {
	b := &box{root: root, ports: map[int32]string{}}
	for _, m := range c.VolumeMounts {
		b.mounts = append(b.mounts, path.Clean(m.MountPath))
	}
	b.mounts = slices.AppendSeq(b.mounts, maps.Keys(s.Files))
	free, err := process.FreeAddresses(len(c.Ports))
	if err != nil {
		return nil, err
	}
	for i, p := range c.Ports {
		b.ports[p.ContainerPort] = free[i]
	}
	return b, nil
}

// command returns what a container runs: program, arguments and environment.
func (s Substitutions) command(b *box, c corev1.Container, env map[string]string) (program string, args, vars []string, err error) {
	argv := slices.Concat(c.Command, c.Args)
	if len(c.Command) == 0 {
		return "", nil, nil, fmt.Errorf("container %s: it has no command, and there is no image to have one", c.Name)
	}
	argv = append(argv, s.Defaults[c.Name]...)
	program, ok := s.Programs[argv[0]]
	if !ok {
		return "", nil, nil, fmt.Errorf("container %s: there is no program %s", c.Name, argv[0])
	}
	for _, a := range argv[1:] {
		args = append(args, b.address(b.paths(expand(a, env))))
	}
	own := map[string]string{}
	for name, value := range env {
		own[name] = b.paths(value)
	}
	for name, at := range map[string]string{"SSL_CERT_DIR": certDir, "SSL_CERT_FILE": certFile, "HOME": "/home", "TMPDIR": "/tmp"} {
		if _, ok := own[name]; !ok {
			own[name] = filepath.Join(b.root, at)
		}
	}
	own["KUBECONFIG"] = filepath.Join(b.root, kubeconfig)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		vars = append(vars, name+"="+own[name])
	}
	return program, args, vars, nil
}

// word is what a path can be: it does not begin in the middle of another.
var word = regexp.MustCompile(`[^\s=:"']+`)

// paths puts what is below a mount point below the box's root.
func (b *box) paths(text string) string {
	return word.ReplaceAllStringFunc(text, func(w string) string {
		for _, m := range b.mounts {
			if w == m || strings.HasPrefix(w, m+"/") {
				return b.root + w
			}
		}
		return w
	})
}

var listen = regexp.MustCompile(`^(|.*=)(?:0\.0\.0\.0)?:([0-9]+)$`)

// address puts a port of the container on loopback.
func (b *box) address(arg string) string {
	m := listen.FindStringSubmatch(arg)
	if m == nil {
		return arg
	}
	port, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil {
		return arg
	}
	at, ok := b.ports[int32(port)]
	if !ok {
		return arg
	}
	return m[1] + at
}

var variable = regexp.MustCompile(`\$\$|\$\([^)]*\)`)

// expand replaces $(NAME), as Kubernetes does in commands, arguments and values: "$$"
// is "$", and what is not set stays as it is.
func expand(text string, env map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(s string) string {
		if s == "$$" {
			return "$"
		}
		if value, ok := env[s[2:len(s)-1]]; ok {
			return value
		}
		return s
	})
}

// environment returns the variables of a container, as far as they can be known without
// a node.
func environment(c corev1.Container, namespace, pod string) (map[string]string, error) {
	if len(c.EnvFrom) > 0 {
		return nil, fmt.Errorf("container %s: envFrom is not known here", c.Name)
	}
	env := map[string]string{}
	for _, v := range c.Env {
		switch {
		case v.ValueFrom == nil:
			env[v.Name] = expand(v.Value, env)
		case v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
			env[v.Name] = namespace
		case v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.name":
			env[v.Name] = pod
		default:
			return nil, fmt.Errorf("container %s: the source of variable %s is not known here", c.Name, v.Name)
		}
	}
	return env, nil
}
