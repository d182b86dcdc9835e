package hypershift_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// reader returns one object, or an error.
type reader struct {
	client.Reader
	obj client.Object
	err error
}

func (r reader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if r.err != nil {
		return r.err
	}
	switch into := into.(type) {
	case *corev1.Secret:
		if s, ok := r.obj.(*corev1.Secret); ok {
			s.DeepCopyInto(into)
			return nil
		}
	case *corev1.ConfigMap:
		if c, ok := r.obj.(*corev1.ConfigMap); ok {
			c.DeepCopyInto(into)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
}

var key = client.ObjectKey{Namespace: "clusters", Name: "mine"}

func TestCredentials(t *testing.T) {
	secret := func(data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Data: data}
	}
	const password = "c2VjcmV0LXdvcmQ="
	for name, c := range map[string]struct {
		from        reader
		want        string // in the error
		none, asked bool   // is ErrNoPullSecret; is no ReadError
	}{
		"good":           {from: reader{obj: secret(map[string][]byte{".dockerconfigjson": []byte(`{"auths":{}}`)})}, asked: true},
		"not there":      {from: reader{}, want: "the pull secret clusters/mine: pull secret unavailable: the Secret does not exist", none: true, asked: true},
		"empty":          {from: reader{obj: secret(nil)}, want: "has nothing under .dockerconfigjson", none: true, asked: true},
		"not JSON":       {from: reader{obj: secret(map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"a.io":{"auth":"` + password)})}, want: "the pull secret clusters/mine: .dockerconfigjson: ", asked: true},
		"API server ill": {from: reader{err: apierrors.NewInternalError(errors.New("etcd"))}, want: "reading the pull secret clusters/mine: "},
	} {
		s, _, err := hypershift.Credentials(t.Context(), c.from, key)
		if c.want == "" {
			if err != nil || s == nil {
				t.Errorf("%s: %v, %v", name, s, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
		_, unread := errors.AsType[*hypershift.ReadError](err)
		if errors.Is(err, hypershift.ErrNoPullSecret) != c.none || unread == c.asked {
			t.Errorf("%s: is of another kind: %#v", name, err)
		}
	}
}

func TestReadCABundle(t *testing.T) {
	configMap := func(data map[string]string, binary map[string][]byte) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Data: data, BinaryData: binary}
	}
	for name, c := range map[string]struct {
		from       reader
		text, want string
	}{
		"data":           {reader{obj: configMap(map[string]string{"ca-bundle.crt": "x"}, nil)}, "x", ""},
		"binaryData":     {reader{obj: configMap(nil, map[string][]byte{"ca-bundle.crt": []byte("# \xff\nx")})}, "# \uFFFD\nx", ""},
		"neither":        {reader{obj: configMap(nil, nil)}, "", "the ConfigMap clusters/mine has nothing under ca-bundle.crt"},
		"another key":    {reader{obj: configMap(map[string]string{"ca.crt": "x"}, nil)}, "", "the ConfigMap clusters/mine has nothing under ca-bundle.crt"},
		"not there":      {reader{}, "", "the ConfigMap clusters/mine does not exist"},
		"API server ill": {reader{err: apierrors.NewInternalError(errors.New("etcd"))}, "", "reading the CA bundle clusters/mine: "},
	} {
		text, err := hypershift.ReadCABundle(t.Context(), c.from, key)
		if text != c.text || (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestReadPause(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]hypershift.Pause{
		"true":                 {Paused: true},
		"false":                {},
		"2026-01-01T00:01:00Z": {Paused: true, Left: time.Minute},
		"2025-12-31T23:59:00Z": {},
		"tomorrow":             {Invalid: true},
		"":                     {Invalid: true},
	} {
		if got := hypershift.ReadPause(&value, now); got != want {
			t.Errorf("%q: %+v, want %+v", value, got, want)
		}
	}
	if got := hypershift.ReadPause(nil, now); got != (hypershift.Pause{}) {
		t.Errorf("nil: %+v", got)
	}
}

func TestHandedOver(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status metav1.ConditionStatus
		reason string
	}{
		"well":      {nil, metav1.ConditionTrue, hyperv1.AsExpectedReason},
		"too large": {&handover.TooLargeError{What: "X", Size: 2, Limit: 1}, metav1.ConditionFalse, "TooLarge"},
		"any other": {errors.New("a comma"), metav1.ConditionFalse, "NotExpressible"},
	} {
		got := hypershift.HandedOver(c.err, "well")
		if got.Type != "OverridesHandedOver" || got.Status != c.status || got.Reason != c.reason || got.Message == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is mounted is where the operators look for it by default.
func TestMounts(t *testing.T) {
	var pod corev1.PodSpec
	var c corev1.Container
	hypershift.MountUserCA(&pod, &c, "mine")
	hypershift.MountManagedCA(&pod, &c)
	hypershift.MountOverrides(&pod, &c)
	var files []string
	for i, v := range pod.Volumes {
		m := c.VolumeMounts[i]
		if v.Name != m.Name || !m.ReadOnly || m.SubPath != "" {
			t.Errorf("volume %s is mounted as %+v", v.Name, m)
		}
		if optional := v.ConfigMap.Optional != nil && *v.ConfigMap.Optional; optional != (v.Name == hypershift.ManagedCAVolume) {
			t.Errorf("volume %s: optional is %t", v.Name, optional)
		}
		files = append(files, path.Join(m.MountPath, v.ConfigMap.Items[0].Path))
	}
	for _, want := range append(trust.DefaultBundles(), handover.File) {
		if !slices.Contains(files, want) {
			t.Errorf("nothing is mounted at %s: %q", want, files)
		}
	}
	if len(files) != 3 || pod.Volumes[0].ConfigMap.Name != "mine" {
		t.Errorf("mounted %q", files)
	}
}

func TestUnusedEntries(t *testing.T) {
	var auths []string
	for n := range 25 {
		auths = append(auths, fmt.Sprintf(`"*.h%02d.example.com":{"auth":"aGlkZGVuOmh1bnRlcjI="}`, n))
	}
	auths = append(auths, `"quay.io":{"auth":"aGlkZGVuOmh1bnRlcjI="}`)
	credentials, err := provider.ParseCredentials([]byte(`{"auths":{` + strings.Join(auths, ",") + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := hypershift.UnusedEntries(credentials)
	if !strings.Contains(got, "*.h19.example.com") || strings.Contains(got, "*.h20.example.com") || !strings.HasSuffix(got, "; and 5 more") {
		t.Errorf("got %s", got)
	}
	if strings.Contains(got, "hunter2") || strings.Contains(got, "aGlkZGVu") {
		t.Errorf("it holds a password: %s", got)
	}
	if got := hypershift.UnusedEntries(provider.Credentials{}); got != "" {
		t.Errorf("of nothing it is %q", got)
	}
}

func TestParseMinor(t *testing.T) {
	for in, want := range map[string]hypershift.Minor{
		"4.17": {Major: 4, Minor: 17}, "4.17.3": {Major: 4, Minor: 17}, "4.18.0-rc.1": {Major: 4, Minor: 18}, "5.0.0+a": {Major: 5},
		"4.19.0-0.nightly-2025-01-01-000000": {Major: 4, Minor: 19},
	} {
		if got, err := hypershift.ParseMinor(in); err != nil || got != want {
			t.Errorf("%q is %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "4", "4.", "4.x", "v4.17.3", "4.17.3 ", "04.1", "4.9999999999", "latest"} {
		if got, err := hypershift.ParseMinor(in); err == nil {
			t.Errorf("%q is %s", in, got)
		}
	}
	if a, b := (hypershift.Minor{Major: 4, Minor: 22}), (hypershift.Minor{Major: 5}); a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
		t.Error("4.22 is not before 5.0")
	}
}

func TestProxyEnv(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"", ""},
		{"NO_PROXY=.example.com", "NO_PROXY=.example.com"},
		{"HTTPS_PROXY=http://p:1", "HTTPS_PROXY=http://p:1 NO_PROXY=kube-apiserver"},
		{"NO_PROXY=.example.com HTTP_PROXY=http://p:1", "HTTP_PROXY=http://p:1 NO_PROXY=.example.com,kube-apiserver"},
		{"HTTP_PROXY=a HTTPS_PROXY=b NO_PROXY=kube-apiserver,c", "HTTP_PROXY=a HTTPS_PROXY=b NO_PROXY=kube-apiserver,c"},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		var got []string
		for _, v := range hypershift.ProxyEnv(func(name string) (string, bool) { v, ok := env[name]; return v, ok }) {
			got = append(got, v.Name+"="+v.Value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, want %q", c.env, got, c.want)
		}
	}
}
