package hostedcluster

import (
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
)

// With a ConfigMap the condition tells that an image which nobody named may not know
// the flag, and otherwise does not.
func TestHandedOverTellsOfReleaseImage(t *testing.T) {
	for name, c := range map[string]struct {
		how              Handover
		flag, annotation string
		image            string
		reported         bool
	}{
		"environment": {HandoverEnv, "", "", "quay.io/r/hypershift:1", false},
		"of release":  {HandoverConfigMap, "", "", "quay.io/r/hypershift:1", true},
		"our own":     {HandoverConfigMap, "", "", ownImage, false},
		"flag":        {HandoverConfigMap, "quay.io/acme/cpo:1", "", "quay.io/acme/cpo:1", false},
		"annotation":  {HandoverConfigMap, "", "quay.io/acme/cpo:2", "quay.io/acme/cpo:2", false},
	} {
		t.Run(name, func(t *testing.T) {
			hc := testCluster()
			if c.annotation != "" {
				hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: c.annotation}
			}
			w := &workload{Settings: Settings{OperatorImage: ownImage, ControlPlaneOperatorImage: c.flag, Handover: c.how}, hc: hc, inputs: inputs{Image: c.image}}
			if got := w.handedOver(nil).Message; strings.Contains(got, "--control-plane-operator-image") != c.reported {
				t.Errorf("it says %q", got)
			}
		})
	}
}
