package payload_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	proctest "github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Every version is called its own way, with mirrors alone.
func TestVersions(t *testing.T) {
	for version, want := range map[string]struct {
		render, operator, controller, not string
	}{
		"4.12.9":      {`"render","--config-output-file","config"`, "--keepalived-image=", "--dest-dir=", "--payload-version"},
		"4.13.5":      {`"render","--config-output-file","config"`, "--image-references=", "--dest-dir=", "--payload-version"},
		"4.14.1":      {`--rendered-manifest-files=`, "--payload-version=4.14.1", "--payload-version=4.14.1", "--keepalived-image"},
		"4.15.0-rc.1": {`--rendered-manifest-dir=`, "--payload-version=4.15.0-rc.1", "--payload-version=4.15.0-rc.1", "--keepalived-image"},
		"4.17.3":      {`--cluster-profile=ibm-cloud-managed`, "--payload-version=4.17.3", "--payload-version=4.17.3", "--keepalived-image"},
		"5.0.0":       {`--cluster-profile=ibm-cloud-managed`, "--image-references=", "--payload-version=5.0.0", "--keepalived-image"},
	} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, options{version: version, nowhere: []string{"pod", "coredns"}})
			r, files := w.generate()
			if r.Version != version {
				t.Errorf("version %q", r.Version)
			}
			for name, part := range map[string]string{
				"99_feature-gate.yaml": want.render, "operator.args": want.operator, "controller.args": want.controller, "server.args": "--insecure-port=",
			} {
				if !strings.Contains(files[name], part) {
					t.Errorf("%s has no %s: %s", name, part, files[name])
				}
			}
			if args := files["operator.args"]; strings.Contains(args, want.not) {
				t.Errorf("machine-config-operator got %s: %s", want.not, args)
			}
			if args := files["operator.args"]; !strings.Contains(args, `"--release-image=`+w.in.Release+`"`) {
				t.Errorf("--release-image is not what was asked for: %s", args)
			}
			w.clean()
		})
	}
}

// What went in is what the programs got, and none of it through a shell.
func TestInputs(t *testing.T) {
	w := newWorld(t, options{})
	w.in.OSStream = "rhel-10"
	delete(w.in.MachineConfigServer, "user-ca-bundle-config.yaml") // most clusters have none
	r, files := w.generate()
	if len(r.Missing) != 0 {
		t.Errorf("missing %v", r.Missing)
	}
	for name, want := range map[string]string{
		"custom.yaml":                           "custom: $(touch /tmp/injected) EOF",
		"99_feature-gate.yaml":                  "kind: FeatureGate # $(x) EOF\n# rendered",
		"99_osimagestream.yaml":                 "defaultStream: rhel-10",
		"worker.machineconfigpool.yaml":         "of the configmap: worker.machineconfigpool.yaml",
		"image-config.yaml":                     "of the configmap: image-config.yaml",
		"cluster-apiserver-config.yaml":         "of the configmap: cluster-apiserver-config.yaml",
		"etc/mcc/templates/master/00.yaml":      "a template",
		"etc/mcc/templates/worker/deep/01.yaml": "another",
		"machineconfigcontroller-pull-secret":   ".dockerconfigjson:",
		"image-references":                      w.source.Host() + "/" + componentRepository + "@" + w.digests["machine-config-operator"],
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q; want %q in it", name, files[name], want)
		}
	}
	if _, ok := files["passwd"]; ok {
		t.Error("a link out of the directory was followed")
	}
	for name, content := range files {
		for _, m := range w.mirrors {
			if name != "machineconfigcontroller-pull-secret" && name != "controller.home" && strings.Contains(content, m.Host()) {
				t.Errorf("%s names a mirror: nodes must not get it", name)
			}
		}
	}
	w.releaseInfoMu.Lock()
	defer w.releaseInfoMu.Unlock()
	if fmt.Sprint(w.releaseInfo) != "[4.17.3]" {
		t.Errorf("the release was reported as %q", w.releaseInfo)
	}
	w.clean()
}

// Rewrite rules, and only they, reach what is handed to nodes.
func TestRewrite(t *testing.T) {
	w := newWorld(t, options{rewrite: true, version: "4.12.0"})
	_, files := w.generate()
	mirror := w.mirrors[0].Host()
	want := "--release-image=" + mirror + "/" + mirroredRelease + "@" + w.release.Digest
	if !strings.Contains(files["operator.args"], want) {
		t.Errorf("no %s in %s", want, files["operator.args"])
	}
	want = "--machine-config-operator-image=" + mirror + "/" + mirroredComponents + "@" + w.digests["machine-config-operator"]
	if !strings.Contains(files["operator.args"], want) {
		t.Errorf("no %s in %s", want, files["operator.args"])
	}
	w.clean()
}

// Each image is read wherever it can be had.
func TestFallback(t *testing.T) {
	w := newWorld(t, options{only: 2})
	w.generate()
	if w.mirrors[1].Count(testregistry.Match{Kind: testregistry.Blob, Repository: mirroredComponents}) == 0 {
		t.Error("the second mirror served no component")
	}
	w.clean()
}

func TestCloudConfig(t *testing.T) {
	w := newWorld(t, options{})
	w.in.Platform, w.in.CloudConfigHash = "Azure", "c1"
	for _, cc := range []*payload.CloudConfig{nil, {Manifest: []byte("x"), Hash: "c0"}} {
		w.in.CloudConfig = cc
		_, err := w.pipeline.Generate(t.Context(), w.in)
		if reason, _ := payload.Report(err); reason != payload.ReasonCloudConfigPending {
			t.Errorf("%v: %s", cc, reason)
		}
	}
	w.in.CloudConfig = &payload.CloudConfig{Manifest: []byte("kind: ConfigMap"), Hash: "c1"}
	if _, files := w.generate(); !strings.Contains(files["operator.args"], "--cloud-config-file=") {
		t.Errorf("no cloud config in %s", files["operator.args"])
	}
	w.clean()
}

// Programs for RHEL 9 are taken from an image of RHEL 8, each where there is one.
func TestOtherSystem(t *testing.T) {
	broken := func(names ...string) (es []testpayload.Entry) {
		for _, n := range names {
			es = append(es, testpayload.Executable(n, "not for us"))
		}
		return es
	}
	for name, c := range map[string]struct {
		image, ours string
		entries     []testpayload.Entry
	}{
		"8 on 9":              {"8.6", "9.4", append(broken(plain...), executables(plain[0]+".rhel9", plain[1]+".rhel9", plain[2]+".rhel9")...)},
		"8 on 9, one without": {"8.6", "9.4", append(append(broken(plain[:2]...), executables(plain[2])...), executables(plain[0]+".rhel9", plain[1]+".rhel9")...)},
		"8 on 8":              {"8.6", "8.10", append(executables(plain...), broken(plain[0]+".rhel9")...)},
		"9 on 9":              {"9.2", "9.6", append(executables(plain...), broken(plain[0]+".rhel9")...)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{
				components: map[string][]testpayload.Entry{"machine-config-operator": operatorImage(c.image, c.entries...)},
				osRelease:  "ID=rhel\nVERSION_ID=\"" + c.ours + "\"\n",
			})
			w.generate()
			w.clean()
		})
	}
}

// Images often have their programs behind links.
func TestLinkedPrograms(t *testing.T) {
	entries := append(executables("opt/mco"), testpayload.Symlink(plain[0], "../../opt/mco"), testpayload.HardLink(plain[1], "opt/mco"), testpayload.Symlink(plain[2], "/opt/mco"))
	w := newWorld(t, options{components: map[string][]testpayload.Entry{"machine-config-operator": operatorImage("9.4", entries...)}})
	w.generate()
	w.clean()
}

func TestServerIsWaitedFor(t *testing.T) {
	for _, mode := range []string{"server:late", "server:taken"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, options{mode: mode})
			w.generate()
			w.clean()
		})
	}
}

func TestFailures(t *testing.T) {
	short := func(c *payload.Config) { c.Step, c.Serve = time.Second, time.Second }
	for name, c := range map[string]struct {
		options
		want string // in the message for the token secret
	}{
		"operator fails":    {options{mode: "operator:fail"}, "running machine-config-operator: machine-config-operator: exit status 1: cannot read quay.io/a/b"},
		"operator hangs":    {options{mode: "operator:hang", cfg: short}, "running machine-config-operator: machine-config-operator: not done after 1s"},
		"operator, nothing": {options{mode: "operator:nothing"}, "running machine-config-operator: it wrote no manifests"},
		"controller fails":  {options{mode: "controller:fail"}, "running machine-config-controller: machine-config-controller: exit status 1"},
		"controller quits":  {options{mode: "controller:quit"}, "running machine-config-server: machine-config-server: exit status 1"},
		"server fails":      {options{mode: "server:fail"}, "running machine-config-server: machine-config-server: exit status 1: cannot read"},
		"server quits":      {options{mode: "server:quit"}, "running machine-config-server: it ended before it served a config"},
		"server dies":       {options{mode: "server:die"}, "machine-config-server: exit status 2: panic: of the server"},
		"server hangs":      {options{mode: "server:hang", cfg: short}, "running machine-config-server: machine-config-server: not done after 1s"},
		"server says 500":   {options{mode: "server:500", cfg: short}, "not done after 1s; it answered 500"},
		"server's garbage":  {options{mode: "server:garbage"}, "running machine-config-server: its answer is no Ignition config"},
		"no templates":      {options{components: map[string][]testpayload.Entry{"machine-config-operator": append(executables(plain...), testpayload.File("usr/lib/os-release", "VERSION_ID=9"))}}, "etc/mcc/templates is not in it"},
		"no os-release":     {options{components: map[string][]testpayload.Entry{"machine-config-operator": append(executables(plain...), testpayload.File("etc/mcc/templates/master/00.yaml", "x"))}}, "usr/lib/os-release is not in it"},
		"os-release, no id": {options{components: map[string][]testpayload.Entry{"machine-config-operator": append(operatorImage("9", executables(plain...)...), testpayload.File("usr/lib/os-release", "ID=x"))}}, "states no VERSION_ID"},
		"programs missing":  {options{components: map[string][]testpayload.Entry{"machine-config-operator": operatorImage("9.4", executables(plain[1])...)}}, "it has no usr/bin/machine-config-operator, usr/bin/machine-config-server"},
		"no renderer":       {options{components: map[string][]testpayload.Entry{"cluster-config-api": {testpayload.File("a", "b")}}}, "reading the cluster-config-api image: usr/bin/render is not in it"},
		"no component":      {options{components: map[string][]testpayload.Entry{"cluster-config-api": nil}}, "the release has no component cluster-config-api"},
		"no operator":       {options{components: map[string][]testpayload.Entry{"machine-config-operator": nil}}, "the release has no component machine-config-operator"},
		"not a program":     {options{components: map[string][]testpayload.Entry{"cluster-config-api": {testpayload.File("usr/bin/render", "text")}}}, "rendering the feature gate: render: fork/exec /image/render/usr/bin/render: exec format error"},
		"version":           {options{version: "latest"}, `metadata.name "latest" is no semantic version`},
		"no feature gate":   {options{cfg: func(c *payload.Config) { c.FeatureGate = "/does/not/exist" }}, "rendering the feature gate: open /does/not/exist"},
		"no system":         {options{cfg: func(c *payload.Config) { c.OSRelease = "/does/not/exist" }}, "what system this runs on: open /does/not/exist"},
		"no rules":          {options{cfg: func(c *payload.Config) { c.Rules = func() *policy.Rules { return nil } }}, "looking up the release: the mirror policies have not been read yet"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.options)
			_, err := w.pipeline.Generate(t.Context(), w.in)
			if err == nil {
				t.Fatal("no error")
			}
			reason, message := payload.Report(err)
			if reason != payload.ReasonInvalidConfig || !strings.Contains(message, c.want) {
				t.Errorf("%s: %q\nwant %q\nerror %v", reason, message, c.want, err)
			}
			if _, second := w.pipeline.Generate(t.Context(), w.in); second == nil {
				t.Error("no error the second time")
			} else if _, m := payload.Report(second); m != message {
				t.Errorf("the same failure is told in two ways:\n%s\n%s", message, m)
			}
			w.clean()
		})
	}
}

func TestMissingComponentsAreNamed(t *testing.T) {
	w := newWorld(t, options{version: "4.12.0", nowhere: []string{"pod", "coredns"}})
	r, files := w.generate()
	const want = "baremetal-runtimecfg haproxy-router keepalived-ipfailover machine-os-content"
	if got := strings.Join(r.Missing, " "); got != want {
		t.Errorf("missing %q; want %q", got, want)
	}
	if !strings.Contains(files["operator.args"], `"--haproxy-image="`) {
		t.Errorf("args %s", files["operator.args"])
	}
	if fmt.Sprint(w.releaseInfo) != "[4.12.0 "+strings.ReplaceAll(want, " ", ",")+"]" {
		t.Errorf("reported as %q", w.releaseInfo)
	}

	w = newWorld(t, options{components: map[string][]testpayload.Entry{"cluster-config-api": nil}})
	_, err := w.pipeline.Generate(t.Context(), w.in)
	if e, ok := errors.AsType[*payload.Error](err); !ok || fmt.Sprint(e.Missing) != "[cluster-config-api]" {
		t.Errorf("got %v", err)
	}
	if fmt.Sprint(w.releaseInfo) != "[4.17.3 cluster-config-api]" {
		t.Errorf("reported as %q", w.releaseInfo)
	}
}

func TestImageNowhere(t *testing.T) {
	w := newWorld(t, options{})
	for _, m := range w.mirrors {
		m.Fail(testregistry.Match{Repository: mirroredComponents}, testregistry.Status(http.StatusNotFound))
	}
	_, err := w.pipeline.Generate(t.Context(), w.in)
	_, message := payload.Report(err)
	for _, m := range w.mirrors {
		if want := m.Host() + "/" + mirroredComponents + ": not-found"; !strings.Contains(message, want) {
			t.Errorf("no %q in %q", want, message)
		}
	}
	if !errors.Is(err, provider.ErrNotFound) || strings.Contains(message, "sha256:") {
		t.Errorf("message %q of %v", message, err)
	}
	w.clean()
}

func TestOutdatedInputs(t *testing.T) {
	w := newWorld(t, options{})
	bundle := "other"
	for name, change := range map[string]func(*payload.Inputs){
		"pull-secret":           func(in *payload.Inputs) { in.PullSecretHash = "00000000" },
		"user-ca-bundle":        func(in *payload.Inputs) { in.UserCABundleHash = "00000000" },
		"bootstrap-kubeconfig":  func(in *payload.Inputs) { in.BootstrapKubeconfig = nil },
		"machine-config-server": func(in *payload.Inputs) { in.ConfigurationHash = "h2" },
		"trusted-ca-bundle-managed": func(in *payload.Inputs) {
			in.MachineConfigServer = map[string]string{"configuration-hash": "h1", "user-ca-bundle-config.yaml": "data: {ca-bundle.crt: this}"}
			in.ManagedCABundle = &bundle
		},
		"is no file name": func(in *payload.Inputs) {
			in.MachineConfigServer = map[string]string{"configuration-hash": "h1", "../x": ""}
		},
	} {
		in := w.in
		change(&in)
		_, err := w.pipeline.Generate(t.Context(), in)
		if reason, message := payload.Report(err); reason != payload.ReasonInvalidConfig || !strings.Contains(message, name) {
			t.Errorf("%s: %s %q", name, reason, message)
		}
	}
	if n := w.mirrors[0].Count() + w.mirrors[1].Count(); n != 0 {
		t.Errorf("%d requests for nothing", n)
	}
	w.clean()
}

func TestSecretsAreNotTold(t *testing.T) {
	w := newWorld(t, options{mode: "operator:tell-secret"})
	_, err := w.pipeline.Generate(t.Context(), w.in)
	_, message := payload.Report(err)
	text := fmt.Sprintf("%v %+v %s", err, err, message)
	for _, secret := range []string{password, "bootstrap-token", "ZG9ja2V", string(w.in.PullSecret)} {
		if strings.Contains(text, secret) {
			t.Errorf("the error has a secret: %s", text)
		}
	}
	if !strings.Contains(text, "REDACTED") {
		t.Errorf("nothing was withheld in %s", text)
	}
}

// Whatever hangs is gone when the caller has given up, with its children, its
// directory and its download.
func TestCancel(t *testing.T) {
	for _, who := range []string{"operator", "controller", "server"} {
		t.Run(who, func(t *testing.T) {
			l := proctest.Watch(t)
			w := newWorld(t, options{mode: who + ":hang-with-child " + l.Addr().String()})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := w.pipeline.Generate(ctx, w.in)
				failed <- err
			}()
			first, second := l.Come(), l.Come()
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			w.clean()
			l.Gone(first)
			l.Gone(second)
		})
	}
	t.Run("download", func(t *testing.T) {
		w := newWorld(t, options{})
		blobs := testregistry.Match{Kind: testregistry.Blob, Repository: mirroredComponents}
		w.mirrors[0].Fail(blobs, testregistry.Hang())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := w.pipeline.Generate(ctx, w.in)
			failed <- err
		}()
		if err := w.mirrors[0].Wait(t.Context(), 1, blobs); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		w.clean()
	})
}

// Several at once have ports and directories of their own, and images are read once.
func TestParallel(t *testing.T) {
	w := newWorld(t, options{cfg: func(c *payload.Config) { c.Parallel = 3 }})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			in := w.in
			in.Config = []byte(fmt.Sprint("config ", i))
			r, err := w.pipeline.Generate(t.Context(), in)
			if err != nil {
				t.Error(err)
				return
			}
			if got := w.decode(r.Ignition)["custom.yaml"]; got != string(in.Config) {
				t.Errorf("%d got %q", i, got)
			}
		})
	}
	wg.Wait()
	if s := w.files.Stats(); s.Misses != 2 { // templates and programs, the renderer
		t.Errorf("%+v; want two downloads", s)
	}
	seen := map[string]int{}
	for _, m := range w.mirrors {
		for _, q := range m.Requests(testregistry.Match{Kind: testregistry.Blob, Repository: mirroredRelease}) {
			seen[q.Reference]++
		}
	}
	for blob, n := range seen {
		if n != 1 {
			t.Errorf("blob %s of the release was read %d times", blob, n)
		}
	}
	w.clean()
}

// The bound on how many are made at once holds, and who waits may leave.
func TestBound(t *testing.T) {
	l := proctest.Watch(t)
	w := newWorld(t, options{mode: "operator:hang-with-child " + l.Addr().String(), cfg: func(c *payload.Config) { c.Parallel = 1 }})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.pipeline.Generate(ctx, w.in)
		failed <- err
	}()
	first, second := l.Come(), l.Come()
	abandoned, leave := context.WithCancel(t.Context())
	leave()
	if _, err := w.pipeline.Generate(abandoned, w.in); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits got %v", err)
	}
	cancel()
	<-failed
	l.Gone(first)
	l.Gone(second)
	w.clean()
}

// What a process that was killed left behind goes at the next start; what is not ours
// stays.
func TestLeftovers(t *testing.T) {
	w := newWorld(t, options{cfg: func(c *payload.Config) {
		for _, d := range []string{"payload-123", "cache"} {
			if err := os.MkdirAll(filepath.Join(c.WorkDir, d, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}})
	remaining, err := os.ReadDir(w.workDir)
	if err != nil || len(remaining) != 1 || remaining[0].Name() != "cache" {
		t.Errorf("left: %v, %v", remaining, err)
	}
}

// OCPBUGS-42320: one failure is written once, however its text varies.
func TestReportIsStable(t *testing.T) {
	messages := map[string]bool{}
	for i := range 100 {
		digest := fmt.Sprintf("sha256:%064x", i)
		report := func(err error) {
			_, m := payload.Report(err)
			messages[m] = true
			if strings.Contains(m, digest) {
				t.Errorf("%q has a digest", m)
			}
		}
		report(fmt.Errorf("reading quay.io/a/b@%s: read tcp 10.0.0.1:%d->10.0.0.2:443: reset", digest, 30000+i))
	}
	if len(messages) != 1 {
		t.Errorf("%d messages: %v", len(messages), messages)
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	for text, want := range map[string]string{
		"verifying: " + digest + ": no signature found":               "verifying: no signature found",
		digest + ": no signature found":                               "no signature found",
		"reading quay.io/a/b@" + digest + ": 404":                     "reading quay.io/a/b: 404",
		"layer " + digest + " is too large":                           "layer is too large",
		"listen tcp :45123: bind: busy":                               "listen tcp :PORT: bind: busy",
		`Get "http://localhost:41234/config/master": EOF`:             `Get "http://localhost:PORT/config/master": EOF`,
		"reading mirror.example.com:5000/a/b: 401":                    "reading mirror.example.com:5000/a/b: 401",
		"2026/11/22 15:04:05 cannot\n  go on at 2026-11-22T15:04:05Z": "TIME cannot go on at TIME",
	} {
		if _, got := payload.Report(errors.New(text)); got != want {
			t.Errorf("%q is told as %q; want %q", text, got, want)
		}
	}
	const stack = "\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:5 +0x18\nexit status 2\n"
	for output, want := range map[string]string{
		"I1130 01:52:37.5 7 a.go:1] begin\nF1130 01:52:37.5 7 a.go:2] cannot read x:\n  not found\n":        "cannot read x: not found",
		"F1130 01:52:37.5 7 a.go:2] cannot read x" + stack:                                                  "cannot read x",
		"begin\npanic: of the program" + stack:                                                              "panic: of the program",
		"I1130 01:52:37.5 7 log.go:2] http: panic serving 127.0.0.1:41234: out of range" + stack + "more\n": "http: panic serving 127.0.0.1:PORT: out of range",
		"begin\nit failed\n":  "it failed",
		"goroutine 1 is dead": "goroutine 1 is dead",
	} {
		if _, got := payload.Report(&payload.Error{Err: errors.New("exit status 2"), Output: output}); got != "exit status 2: "+want {
			t.Errorf("%q is told as %q; want %q", output, got, want)
		}
	}
	long := errors.New(strings.Repeat("ö", 5000))
	if _, m := payload.Report(long); len(m) > 1100 || strings.ContainsRune(m, '�') {
		t.Errorf("a message of %d bytes", len(m))
	}
	if reason, m := payload.Report(nil); reason != payload.ReasonAsExpected || m != "" {
		t.Errorf("success is %s %q", reason, m)
	}
	if _, ok := errors.AsType[*process.Error](&payload.Error{Err: &process.Error{}}); !ok {
		t.Error("the cause is not reachable")
	}
}

func TestNew(t *testing.T) {
	if _, err := payload.New(payload.Config{}); err == nil {
		t.Error("an empty config is accepted")
	}
}
