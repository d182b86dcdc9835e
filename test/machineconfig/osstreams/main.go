// Command osstreams is machine-config-controller as later versions are: where the feature
// gate OSStreams is on it inspects the images of the operating system before it renders
// anything, with a registry client of its own. The version that is built here does not do
// that yet, so this program does it in front of it, with the same client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containers/image/v5/docker"
	"github.com/containers/image/v5/image"
	"github.com/containers/image/v5/types"
	configv1 "github.com/openshift/api/config/v1"
	mcfgv1 "github.com/openshift/api/machineconfiguration/v1"
	"github.com/openshift/machine-config-operator/pkg/controller/bootstrap"
	"github.com/openshift/machine-config-operator/pkg/version"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"
)

func main() {
	manifests, templates := flag.String("manifest-dir", "", ""), flag.String("templates", "", "")
	secret, dest := flag.String("pull-secret", "", ""), flag.String("dest-dir", "", "")
	flag.StringVar(&version.ReleaseVersion, "payload-version", version.ReleaseVersion, "")
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil { // after "bootstrap"
		fail(err)
	}
	on, err := enabled(*manifests)
	if err == nil && on {
		err = inspect(*manifests)
	}
	if err != nil {
		fail(err)
	}
	if err := bootstrap.New(*templates, *manifests, *secret).Run(*dest); err != nil {
		fail(err)
	}
}

func fail(err error) { klog.Fatalf("error running MCC[BOOTSTRAP]: %v", err) }

// enabled reports whether the rendered FeatureGate has OSStreams on.
func enabled(dir string) (bool, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "99_feature-gate.yaml"))
	if err != nil {
		return false, err
	}
	var gate configv1.FeatureGate
	if err := yaml.Unmarshal(raw, &gate); err != nil {
		return false, err
	}
	for _, version := range gate.Status.FeatureGates {
		if slices.ContainsFunc(version.Enabled, func(a configv1.FeatureGateAttributes) bool { return a.Name == "OSStreams" }) {
			return true, nil
		}
	}
	return false, nil
}

// inspect reads manifest and configuration of the images that the rendered ControllerConfig
// names.
func inspect(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "machineconfigcontroller-controllerconfig.yaml"))
	if err != nil {
		return err
	}
	var config mcfgv1.ControllerConfig
	if err := yaml.Unmarshal(raw, &config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{config.Spec.BaseOSContainerImage, config.Spec.BaseOSExtensionsContainerImage} {
		if name == "" {
			return errors.New("the ControllerConfig names no image of the operating system")
		}
		if err := inspectOne(ctx, name); err != nil {
			return fmt.Errorf("inspecting %s: %w", name, err)
		}
	}
	return nil
}

func inspectOne(ctx context.Context, name string) error {
	ref, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	sys := new(types.SystemContext)
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return err
	}
	defer src.Close()
	img, err := image.FromUnparsedImage(ctx, sys, image.UnparsedInstance(src, nil))
	if err != nil {
		return err
	}
	_, err = img.Inspect(ctx)
	return err
}
