package hostedcluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

// The page of an operator that works shows its rules, who answers, and what was looked up. It has no
// secret on it, and ends with the operator.
func TestStatusPage(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)))
	addr := process.FreeAddress(t)
	stop := w.operate(t, func(o *Options) {
		var f operator.StatusPageFlags
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.Register(flags)
		if err := flags.Parse([]string{"--status-bind-address=" + addr}); err != nil {
			t.Fatal(err)
		}
		var err error
		if o.StatusPage, err = f.Read(); err != nil {
			t.Fatal(err)
		}
	})
	hc := w.hostedCluster("one")
	w.create(t, hc)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	url := "http://" + addr + statuspage.Path + "?ref=" + hc.Spec.Release.Image
	page := func(ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return strings.ReplaceAll(string(text), "<wbr>", ""), err
	}
	cluster.Await(t, "the page to have the lookup", func(ctx context.Context) error {
		text, err := page(ctx)
		if err != nil {
			return err
		}
		for _, want := range []string{"imagedigestmirrorset/releases", w.mirror.Host() + "/mirror/release", hc.Spec.Release.Image, "4.17.3"} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("it lacks %s", want)
			}
		}
		if strings.Contains(text, password) || strings.Contains(text, w.auth(password)) {
			t.Fatal("the page has a password")
		}
		return nil
	})
	stop()
	if _, err := page(t.Context()); err == nil {
		t.Error("the page is there after the operator's end")
	}
}
