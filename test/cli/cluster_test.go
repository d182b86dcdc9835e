package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// The scripts below testdata/cluster have a real cluster, and kubectl.
func TestClusterScripts(t *testing.T) { runWithCluster(t, "cluster") }

// Those below testdata/hosted have another one: what one script installs the other must not see.
func TestHostedClusterScripts(t *testing.T) { runWithCluster(t, "hosted") }

func runWithCluster(t *testing.T, dir string) {
	t.Helper()
	c := cluster.Start(t)
	admin := c.Kubeconfig(t, c.Config())
	nobody := c.Kubeconfig(t, c.User("nobody"))
	kubectl := filepath.Dir(c.Kubectl(t).Path)

	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", dir),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binDir+string(os.PathListSeparator)+kubectl+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("KUBECONFIG", admin)
			e.Setenv("NOBODY", nobody)
			s := newSite(e.WorkDir)
			e.Values[siteKey{}] = s
			e.Defer(s.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"json":  jsonCmd,
			"sign":  signCmd,
			// For HostedClusters, whose kind hypershift installs.
			"registry": registryCmd,
			"expand":   expand,
			"hypershift": func(*testscript.TestScript, bool, []string) {
				c.Install(t, cluster.HypershiftCRD(t, "hostedclusters"))
			},
			// crds installs the definitions of all kinds of policy.
			"crds": func(ts *testscript.TestScript, _ bool, _ []string) {
				for _, path := range []string{
					"operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagetagmirrorsets.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_images.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_clusterimagepolicies.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagepolicies.crd.yaml",
					"config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01_clusterversions-Default.crd.yaml",
				} {
					c.Install(t, cluster.OpenShiftCRD(t, path))
				}
			},
		},
	})
}
