package hostedcontrolplane

import (
	"os"
	"path/filepath"
	"testing"
)

// The file has what the environment says, byte for byte, also where there was one, and
// nothing else is left beside it.
func TestWriteFeatureGate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "99_feature-gate.yaml")
	for _, text := range []string{"kind: FeatureGate\n# $(whoami) `id` \"%s\"\n", "kind: FeatureGate\n"} {
		t.Setenv(FeatureGateEnv, text)
		cmd := featureGateCommand()
		cmd.SetArgs([]string{file})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != text {
			t.Errorf("wrote %q, want %q", got, text)
		}
	}
	if remaining, err := os.ReadDir(filepath.Dir(file)); err != nil || len(remaining) != 1 {
		t.Errorf("left %v, %v", remaining, err)
	}

	t.Setenv(FeatureGateEnv, "")
	cmd := featureGateCommand()
	cmd.SetArgs([]string{file})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err == nil {
		t.Error("an empty feature gate is written")
	}
}
