package payload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
)

const featureGate = "99_feature-gate.yaml"

func (w *work) ourMajorVersion() (string, error) {
	b, err := os.ReadFile(w.cfg.OSRelease)
	if err != nil {
		return "", fmt.Errorf("what system this runs on: %w", err)
	}
	v, err := majorVersion(string(b))
	if err != nil {
		return "", fmt.Errorf("what system this runs on: %s: %w", w.cfg.OSRelease, err)
	}
	return v, nil
}

// writeInputs writes the files for programs that do not come from images.
func (w *work) writeInputs(r *components) error {
	references, err := encodeReferences(r.Release)
	if err != nil {
		return err
	}
	pullSecret, err := manifest(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
		"metadata": map[string]any{"name": "pull-secret", "namespace": "default"},
		"data":     map[string]any{".dockerconfigjson": w.in.PullSecret}, // base64 in JSON
	})
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for name, content := range w.in.MachineConfigServer {
		if name != configurationHash {
			files[path.Join("config", name)] = []byte(content)
		}
	}
	// After the ConfigMap's: it is the one whose hash was checked.
	files["config/pull-secret.yaml"] = pullSecret
	files[path.Join("config", imageReferences)] = references
	files["mcc/custom.yaml"] = w.in.Config
	files["mcs/kubeconfig"] = w.in.BootstrapKubeconfig
	if w.in.needsCloudConfig() {
		files["mco/cloud.conf.configmap.yaml"] = w.in.CloudConfig.Manifest
	}
	for name, content := range files {
		if err := w.write(name, content); err != nil {
			return err
		}
	}
	return nil
}

// render renders the feature gate for the release.
func (w *work) render(ctx context.Context, r *components) error {
	component, file := renderer(r.version)
	step := "reading the " + component + " image"
	img, err := w.open(ctx, r, component)
	if err != nil {
		return at(step, err)
	}
	if err := w.extract(ctx, img, "image/render", file); err != nil {
		return at(step, err)
	}
	program := path.Join("image/render", file)
	if err := w.executable(program, file); err != nil {
		return at(step, err)
	}
	step = "rendering the feature gate"
	gate, err := os.ReadFile(w.cfg.FeatureGate)
	if err != nil {
		return at(step, err)
	}
	for _, d := range []string{"input", "output", "manifests"} {
		if err := w.root.MkdirAll(path.Join("render", d), 0o755); err != nil {
			return at(step, err)
		}
	}
	if err := w.write(path.Join("render/manifests", featureGate), gate); err != nil {
		return at(step, err)
	}
	dir := filepath.Join(w.path, "render")
	if err := w.run(ctx, step, program, dir, renderArgs(r.version, dir)); err != nil {
		return err
	}
	return at(step, w.copy(path.Join("render/manifests", featureGate), path.Join("mcc", featureGate)))
}

// operator runs machine-config-operator, which writes manifests, and copies them for
// machine-config-controller together with those that replace some of them.
func (w *work) operator(ctx context.Context, r *components) error {
	const step = "running machine-config-operator"
	args := operatorArgs(r.version, w.path, r.onNodes, r.image, r.optional, w.in.needsCloudConfig())
	if err := w.run(ctx, step, "bin/machine-config-operator", w.path, args); err != nil {
		return err
	}
	w.tellMissing(ctx, r)

	const manifests = "mco/bootstrap/manifests"
	written, err := fs.ReadDir(w.root.FS(), manifests)
	if err != nil {
		return at(step, fmt.Errorf("it wrote no manifests: %w", err))
	}
	for _, f := range written {
		if f.Type().IsRegular() {
			if err := w.copy(path.Join(manifests, f.Name()), path.Join("mcc", f.Name())); err != nil {
				return at(step, err)
			}
		}
	}
	for name := range w.in.MachineConfigServer {
		if strings.HasSuffix(name, ".machineconfigpool.yaml") {
			if err := w.copy(path.Join("config", name), path.Join("mcc", name)); err != nil {
				return at(step, err)
			}
		}
	}
	if err := w.copyIfThere("config/cluster-apiserver-config.yaml", "mcc/cluster-apiserver-config.yaml"); err != nil {
		return at(step, err)
	}
	if config, ok := w.in.MachineConfigServer[imageConfig]; ok {
		return at(step, w.write(path.Join("mcc", imageConfig), w.openPayload(r, []byte(config))))
	}
	return nil
}

// controller runs machine-config-controller, which renders what machine-config-server
// serves.
func (w *work) controller(ctx context.Context, r *components) error {
	const step = "running machine-config-controller"
	if w.in.OSStream != "" {
		stream, err := manifest(map[string]any{
			"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "OSImageStream",
			"metadata": map[string]any{"name": "cluster"},
			"spec":     map[string]any{"defaultStream": w.in.OSStream},
		})
		if err == nil {
			err = w.write("mcc/99_osimagestream.yaml", stream)
		}
		if err != nil {
			return at(step, err)
		}
	}
	return w.run(ctx, step, "bin/machine-config-controller", w.path, controllerArgs(r.version, w.path))
}

func manifest(object map[string]any) ([]byte, error) {
	b, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(b)
}

// run runs a program of this directory to its end.
func (w *work) run(ctx context.Context, step, program, dir string, args []string) error {
	start := time.Now()
	err := process.Run(ctx, w.spec(program, dir, args, w.cfg.Step))
	w.cfg.Log.Debug(step, zap.String("for", w.in.Name), zap.Duration("took", time.Since(start)), zap.Bool("failed", err != nil))
	return w.ran(step, err)
}

func (w *work) spec(program, dir string, args []string, limit time.Duration) process.Spec {
	return process.Spec{
		Path: filepath.Join(w.path, filepath.FromSlash(program)), Args: args, Dir: dir, Limit: limit, Output: keep + w.secrets.margin(), Reaper: w.cfg.Reaper,
		Env: slices.Concat([]string{"PATH=/usr/bin:/bin", "HOME=" + w.path, "TMPDIR=" + filepath.Join(w.path, "tmp")}, w.clientEnv(), w.cfg.Env),
	}
}

var errEnded = errors.New("it ended before it served a config")
