// Command program stands in for the programs of a release: it is run under each of
// their names, checks what it is called with, and does what they do, as far as the
// pipeline sees it. What went in comes out in the Ignition config, for the test to
// look at. "mode" in install-config.yaml makes it go wrong.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".rhel9")
	if len(os.Args) == 2 && os.Args[1] == "child" {
		hang(os.Getenv("ADDR"))
	}
	flags := map[string]string{}
	args := os.Args[1:]
	for i := 0; i < len(args); i++ {
		k, v, ok := strings.Cut(args[i], "=")
		if strings.HasPrefix(k, "--") && !ok && i+1 < len(args) {
			i++
			v = args[i]
		}
		flags[k] = v
	}
	var err error
	switch name {
	case "render", "cluster-config-operator":
		err = render(flags)
	case "machine-config-operator":
		err = operator(flags)
	case "machine-config-controller":
		err = controller(flags)
	case "machine-config-server":
		err = server(flags)
	default:
		err = fmt.Errorf("run as %s", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hang holds a connection for as long as the process lives, and stays.
func hang(addr string) {
	if addr != "" {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(c, os.Getpid())
		defer c.Close()
	}
	for { // select would be a deadlock where nothing else goes on
		time.Sleep(time.Hour)
	}
}

// goWrong does what mode says for the program at hand: "WHO:WHAT[ ADDRESS]".
func goWrong(who, mode string) error {
	what, ok := strings.CutPrefix(mode, who+":")
	if !ok {
		return nil
	}
	what, addr, _ := strings.Cut(what, " ")
	switch what {
	case "hang":
		hang(addr)
	case "hang-with-child":
		child := exec.Command(os.Args[0], "child")
		child.Env = []string{"ADDR=" + addr}
		if err := child.Start(); err != nil {
			return err
		}
		hang(addr)
	case "fail":
		fmt.Printf("working in %s\n", os.Getenv("HOME"))
		return fmt.Errorf("E1122 15:04:05.%06d %7d main.go:1] cannot read quay.io/a/b@sha256:%064x", time.Now().Nanosecond()/1000, os.Getpid(), time.Now().UnixNano())
	case "tell-secret":
		b, err := os.ReadFile("config/pull-secret.yaml")
		if err != nil {
			return err
		}
		return fmt.Errorf("cannot parse %s", b)
	case "quit":
		os.Exit(0)
	}
	return nil
}

// dump writes what the program was called with.
func dump(file string) error {
	b, err := json.Marshal(map[string]any{"args": os.Args[1:], "env": os.Environ()})
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// dumpHome writes what a registry client of the program's own finds below its home: the
// content of files, and where links lead.
func dumpHome(file string) error {
	root, home := os.Getenv("HOME"), map[string]string{}
	for _, dir := range []string{".config", ".docker"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			if d.Type()&fs.ModeSymlink != 0 {
				home[rel], err = os.Readlink(name)
				return err
			}
			b, err := os.ReadFile(name)
			home[rel] = string(b)
			return err
		})
		if err != nil {
			return err
		}
	}
	b, err := json.Marshal(home)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

func render(flags map[string]string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for _, d := range []string{"input", "output", "manifests"} {
		if _, err := os.Stat(d); err != nil {
			return err
		}
	}
	gate := filepath.Join(dir, "manifests", "99_feature-gate.yaml")
	b, err := os.ReadFile(gate)
	if err != nil {
		return err
	}
	if err := dump(filepath.Join(dir, "args")); err != nil {
		return err
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil {
		return err
	}
	return os.WriteFile(gate, []byte(fmt.Sprintf("%s\n# rendered %s\n", b, args)), 0o600)
}

func operator(flags map[string]string) error {
	for _, f := range []string{"--root-ca", "--infra-config-file", "--network-config-file", "--proxy-config-file",
		"--config-file", "--dns-config-file", "--pull-secret", "--kube-ca", "--image-references"} { // further files need not exist
		path, given := flags[f]
		if !given && f == "--image-references" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	b, err := os.ReadFile(flags["--config-file"])
	if err != nil {
		return err
	}
	_, mode, _ := strings.Cut(strings.TrimSpace(string(b)), "mode: ")
	if err := goWrong("operator", mode); err != nil {
		return err
	}
	if mode == "operator:nothing" {
		return nil
	}
	out := filepath.Join(flags["--dest-dir"], "bootstrap", "manifests")
	if err := os.MkdirAll(filepath.Join(out, "directory"), 0o755); err != nil {
		return err
	}
	secret, err := os.ReadFile(flags["--pull-secret"])
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"mode": []byte(mode), "machineconfigcontroller-pull-secret": secret,
		"worker.machineconfigpool.yaml": []byte("of the operator"),
	}
	if path := flags["--image-references"]; path != "" {
		if files["image-references"], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(out, name), b, 0o600); err != nil {
			return err
		}
	}
	// A link that leads out of the directory is not followed.
	_ = os.Symlink("/etc/passwd", filepath.Join(out, "passwd"))
	return dump(filepath.Join(out, "operator.args"))
}

func controller(flags map[string]string) error {
	from, to := flags["--manifest-dir"], flags["--dest-dir"]
	mode, err := os.ReadFile(filepath.Join(from, "mode"))
	if err != nil {
		return err
	}
	if err := goWrong("controller", string(mode)); err != nil {
		return err
	}
	if _, err := os.Stat(flags["--pull-secret"]); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(flags["--templates"], "master", "00.yaml")); err != nil {
		return err
	}
	if err := dumpHome(filepath.Join(from, "controller.home")); err != nil {
		return err
	}
	if err := dump(filepath.Join(from, "controller.args")); err != nil {
		return err
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(from, path)
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "rendered"), b, 0o600)
}

func server(flags map[string]string) error {
	base := flags["--server-basedir"]
	for _, f := range []string{"--bootstrap-kubeconfig", "--cert", "--key"} {
		if _, err := os.Stat(flags[f]); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(filepath.Join(base, "rendered"))
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	if err := json.Unmarshal(b, &files); err != nil {
		return err
	}
	mode := string(files["mode"])
	if err := goWrong("server", mode); err != nil {
		return err
	}
	if err := dump(filepath.Join(base, "server.args")); err != nil {
		return err
	}
	if files["server.args"], err = os.ReadFile(filepath.Join(base, "server.args")); err != nil {
		return err
	}
	if mode == "server:taken" { // once
		mark := filepath.Join(base, "was-taken")
		if _, err := os.Stat(mark); err != nil {
			_ = os.WriteFile(mark, nil, 0o600)
			return fmt.Errorf("listen tcp :%s: bind: address already in use", flags["--insecure-port"])
		}
	}
	type file struct {
		Path     string            `json:"path"`
		Contents map[string]string `json:"contents"`
	}
	var list []file
	for name, b := range files {
		list = append(list, file{"/" + name, map[string]string{"source": "data:;base64," + base64.StdEncoding.EncodeToString(b)}})
	}
	config, err := json.Marshal(map[string]any{"ignition": map[string]any{"version": "3.2.0"}, "storage": map[string]any{"files": list}})
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:"+flags["--secure-port"])
	if err != nil {
		return err
	}
	defer secure.Close()
	insecure, err := net.Listen("tcp", "127.0.0.1:"+flags["--insecure-port"])
	if err != nil {
		return err
	}
	for asked := 1; ; asked++ {
		c, err := insecure.Accept()
		if err != nil {
			return err
		}
		serve(c, mode, asked, config)
	}
}

// serve answers one request, by hand: net/http would triple the program's size, and
// the tests copy it a lot.
func serve(c net.Conn, mode string, asked int, config []byte) {
	defer c.Close()
	request, accepts := "", false
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if request == "" {
			request = line
		}
		if strings.HasPrefix(line, "Accept: ") && strings.Contains(line, "version=3.2.0") {
			accepts = true
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	status, body := 200, config
	switch {
	case !strings.HasPrefix(request, "GET /config/master HTTP/1.") || !accepts:
		status, body = 404, nil
	case mode == "server:late" && asked < 3, mode == "server:500":
		status, body = 500, []byte("not yet")
	case mode == "server:die":
		fmt.Fprintln(os.Stderr, "panic: of the server")
		os.Exit(2)
	case mode == "server:garbage":
		body = []byte("<html>")
	}
	fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}
