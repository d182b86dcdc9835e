package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// A dry run that cannot read the policies ends, and says why.
func TestDryRunUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		failed, err := Judgement{Missing: func() error { return errors.New("source idms: forbidden") }}.all(t.Context(), nil, nil)
		if err == nil || !strings.Contains(err.Error(), "within 1m0s: source idms: forbidden") || failed != nil || time.Since(began) != judgeStart {
			t.Errorf("got %v, %v after %v", failed, err, time.Since(began))
		}
	})
}

// What was read too early is judged again, but not for ever; and one failure keeps nobody else from
// being judged.
func TestJudgement(t *testing.T) {
	named := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}
	}
	live := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(named("good"), named("bad"), named("early"), named("never"), named("conflict")).Build()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		failed, err := Judgement{
			List: &corev1.ConfigMapList{}, Options: []client.ListOption{client.InNamespace("a")},
			Missing: func() error {
				if time.Since(began) < time.Second {
					return errors.New("not yet")
				}
				return nil
			},
			Judge: func(_ context.Context, key client.ObjectKey) error {
				soon := time.Since(began) < 2*time.Second
				switch {
				case key.Name == "bad":
					return errors.New("no such release")
				case key.Name == "never", key.Name == "early" && soon:
					return fmt.Errorf("%w: pending", ErrJudgedEarly)
				case key.Name == "conflict" && soon:
					return apierrors.NewConflict(corev1.Resource("configmaps"), key.Name, errors.New("written meanwhile"))
				}
				return nil
			},
		}.all(t.Context(), live, scheme.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		want := []Failure{{"ConfigMap a/bad", "no such release"}, {"ConfigMap a/never", "not judged within 6m0s: not judged to the end: pending"}}
		if fmt.Sprint(failed) != fmt.Sprint(want) {
			t.Errorf("failed are %v, want %v", failed, want)
		}
	})
}

func TestDryRunFlags(t *testing.T) {
	other, judged := errors.New("the cluster is away"), Judged{Changes: []Change{{Action: "create", Kind: "Secret", Name: "x"}}}
	for _, c := range []struct {
		args string
		err  error // of the operator; nil: it judges
		code int   // 0 is an error without one
		says string
	}{
		{"--dry-run", nil, 1, "create Secret x\n"},
		{"--dry-run -o json", nil, 1, `"kind": "Secret"`},
		{"--dry-run", other, 2, "the cluster is away"},
		{"", other, 0, "the cluster is away"},
		{"--dry-run -o yaml", nil, 2, `--output: "yaml" is neither text nor json`},
		{"-o json", nil, 0, "--output has no effect without --dry-run"},
	} {
		var f DryRunFlags
		var out bytes.Buffer
		cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
		cmd.RunE = func(*cobra.Command, []string) error {
			return f.Run(cmd, func() error {
				if c.err != nil {
					return c.err
				}
				return f.Tell(&out, judged)
			})
		}
		f.Register(cmd.Flags())
		cmd.SetArgs(strings.Fields(c.args))
		err := cmd.Execute()
		code := 0
		if exit, ok := errors.AsType[*ExitError](err); ok {
			code = exit.Code
		}
		if err == nil || code != c.code || !strings.Contains(out.String()+err.Error(), c.says) {
			t.Errorf("%q: %v, code %d, %q; want code %d and %q", c.args, err, code, out.String(), c.code, c.says)
		}
	}
}
