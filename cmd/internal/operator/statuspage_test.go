package operator

import (
	"net/http"
	"net/http/httptest"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

func TestStatusPageFlags(t *testing.T) {
	for _, c := range []struct {
		addr, certDir string
		ok            bool
	}{
		{"0", "", true}, {"", "", true}, {"127.0.0.1:8082", "", true}, {"localhost:8082", "", true}, {"[::1]:8082", "", true},
		{"127.0.0.1:8082", "certs", true}, {":8443", "certs", true}, {"10.0.0.1:8443", "certs", true},
		{":8082", "", false}, {"0.0.0.0:8082", "", false}, {"example.com:8082", "", false}, {"8082", "", false}, {"0", "certs", false},
	} {
		f := StatusPageFlags{c.addr, c.certDir}
		if p, err := f.Read(); (err == nil) != c.ok {
			t.Errorf("%+v: %+v, %v", c, p, err)
		}
	}
}

// The API server decides who may see the page, and the operator needs system:auth-delegator to ask it.
func TestAuthorized(t *testing.T) {
	c := cluster.Start(t)
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	const namespace = "default"
	create := func(obj client.Object) {
		t.Helper()
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	account := func(name string) string {
		t.Helper()
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		create(sa)
		token := new(authenticationv1.TokenRequest)
		if err := admin.SubResource("token").Create(t.Context(), sa, token); err != nil {
			t.Fatal(err)
		}
		return token.Status.Token
	}
	bind := func(name, role string) {
		t.Helper()
		create(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
		})
	}
	operator, viewer, other := account("page-operator"), account("page-viewer"), account("page-other")
	bind("page-operator", "system:auth-delegator")
	create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "page-viewer"}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{statuspage.Path}, Verbs: []string{"get"}}}})
	bind("page-viewer", "page-viewer")

	as := func(token string) http.Handler {
		t.Helper()
		cfg := rest.AnonymousClientConfig(c.Config())
		cfg.BearerToken = token
		h, err := authorized(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the token is passed on")
			}
			w.WriteHeader(http.StatusOK)
		}))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	may := as(operator)
	for _, x := range []struct {
		name            string
		h               http.Handler
		path, authorize string
		want            int
	}{
		{"viewer", may, statuspage.Path, "Bearer " + viewer, 200},
		{"viewer elsewhere", may, "/metrics", "Bearer " + viewer, 403},
		{"another account", may, statuspage.Path, "Bearer " + other, 403},
		{"no token", may, statuspage.Path, "", 401},
		{"another scheme", may, statuspage.Path, "Basic " + viewer, 401},
		{"a wrong token", may, statuspage.Path, "Bearer x" + viewer, 401},
		{"an operator without the right", as(other), statuspage.Path, "Bearer " + viewer, 503},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, x.path, nil)
		if x.authorize != "" {
			r.Header.Set("Authorization", x.authorize)
		}
		w := httptest.NewRecorder()
		x.h.ServeHTTP(w, r)
		if w.Code != x.want {
			t.Errorf("%s: %d, want %d: %s", x.name, w.Code, x.want, w.Body)
		}
	}
}
