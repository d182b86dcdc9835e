package registry_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// A manifest that is cut off is asked for once more, whatever becomes of that.
func TestManifestCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		then testregistry.Action // on the second request
		want provider.Class      // ClassUnknown for success
	}{
		"good the second time": {testregistry.Delay(0), provider.ClassUnknown},
		"cut off again":        {testregistry.CutOff(10), provider.ClassUnreachable},
		"reset":                {testregistry.Reset(), provider.ClassUnreachable},
		"gone":                 {testregistry.Status(404), provider.ClassNotFound},
		"broken":               {testregistry.Status(500), provider.ClassServer},
	} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			ref := reg.ByDigest(repo, reg.Push(repo, "", old))
			p := open(t, reg)
			if _, err := p.Lookup(t.Context(), request(ref)); err != nil { // connections and what is asked first
				t.Fatal(err)
			}
			reg.ResetLog()
			reg.Inject(testregistry.Fault{Match: manifests, Action: testregistry.CutOff(10), Times: 1})
			reg.Inject(testregistry.Fault{Match: manifests, Action: tt.then})
			_, err := p.Lookup(t.Context(), request(ref))
			if tt.want == provider.ClassUnknown && err != nil || tt.want != provider.ClassUnknown && provider.ClassOf(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if n := reg.Count(manifests); n != 2 && tt.want != provider.ClassUnreachable {
				t.Errorf("%d requests for the manifest, want 2", n)
			}
		})
	}
}
