package e2e

import (
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/scrape"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// recorder is a mirror that notes the headers of each request. It has one user.
type recorder struct {
	*testregistry.Registry
	auth string // what [basic] returns
}

// record starts a mirror that has both releases. Its user's password may be in these Secrets.
func (w *world) record(t *testing.T, user string, in ...string) recorder {
	t.Helper()
	password := "Pa55w0rd-of-" + user
	w.keep(user, password, in...)
	r, err := testregistry.Start(testregistry.Config{
		CA: w.ca, Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: user, Password: password}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for _, release := range w.releases {
		release.PushTo(r.Push)
	}
	w.mirrorHosts = append(w.mirrorHosts, r.Host())
	return recorder{r, basic(user, password)}
}

// servedTo fails the test unless the mirror answered these programs alone, and whoever sent a
// credential sent the one that is for it.
func (r recorder) servedTo(t *testing.T, agents ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, q := range r.Requests() {
		if got := q.Header.Get("Authorization"); got != "" && got != "Basic "+r.auth {
			t.Errorf("%s: %s %s was sent a credential that is not for it", r.Host(), q.Method, q.Path)
		}
		agent, _, _ := strings.Cut(q.Header.Get("User-Agent"), "/")
		seen[agent] = seen[agent] || q.Status == 200
	}
	for _, agent := range []string{agentHO, agentCPO, agentIgnition} {
		if want := slices.Contains(agents, agent); seen[agent] != want {
			t.Errorf("%s: it is %v that %s was served, want %v", r.Host(), seen[agent], agent, want)
		}
	}
}

// credentials fails the test unless the process of a Deployment says in its metrics that it used
// credentials of these owners, and of no others.
func (w *world) credentials(t *testing.T, namespace, deployment string, port int32, owners ...string) {
	t.Helper()
	seen, err := scrape.Get(t.Context(), w.Ready(t, namespace, deployment).Address(port))
	if err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"tenant", "mirror", "operator"} {
		n, err := seen.Value("mirrorchain_attempt_credentials_total", "credential="+owner)
		if err != nil && slices.Contains(owners, owner) {
			t.Errorf("%s/%s: %v", namespace, deployment, err)
		} else if (n > 0) != slices.Contains(owners, owner) {
			t.Errorf("%s/%s asked %v times with the credential of %s; want those of %v", namespace, deployment, n, owner, owners)
		}
	}
}

// Two tenants. The first one has the management cluster's mirrors, and both kinds of credentials
// for them: a Secret of its own for the mirror of releases, the operator's for that of
// components. The second one has neither and takes mirrors of its own. Nothing of the first
// one's is the second one's, each credential reaches the mirror that it is for and no
// other place, and what the policies never contact gets no connection (R10, R12).
func TestTenants(t *testing.T) {
	const robots, mine = "robots", "mine"
	one := newWorld(t, site{crds: []string{idmsCRD}, noMirrors: true, args: func(*world) []string {
		return []string{
			"--management-mirrors-opt-out=allowed", "--management-mirror-credentials=" + deploy.Namespace + "/" + robots, "--hand-over-mirror-credentials",
		}
	}})
	other := *one // the same management cluster
	two := &other
	two.namespace, two.name, two.auths = "others", "two", map[string]string{}
	releases := one.record(t, "releases", one.namespace+"/"+mine, one.controlPlane()+"/mirrorchain-mirror-credentials")
	components := one.record(t, "components", deploy.Namespace+"/"+robots, one.controlPlane()+"/mirrorchain-management-mirror-credentials")
	own := one.record(t, "own", two.pullSecrets()...)
	two.mirrorHosts = one.mirrorHosts
	one.keep("bait", "nobody-gets-this", deploy.Namespace+"/"+robots, one.namespace+"/"+mine)
	bait := basic("bait", "nobody-gets-this")

	policy := never(one.policy("ImageDigestMirrorSet"))
	entries := policy.Object["spec"].(map[string]any)["imageDigestMirrors"].([]any)
	entries[0].(map[string]any)["mirrors"] = []any{releases.Host() + "/" + machineconfig.MirroredRelease}
	entries[1].(map[string]any)["mirrors"] = []any{components.Host() + "/" + machineconfig.MirroredComponents}
	one.annotations = map[string]string{"mirrorchain.dev/mirror-credentials": mine}
	one.auths["unrelated.example.com"] = basic("unrelated", "unrelated")
	two.auths["unrelated.example.com"] = basic("unrelated", "unrelated")
	one.create(t, policy,
		dockerSecret(deploy.Namespace, robots, dockerConfig(map[string]string{
			components.Host(): components.auth, own.Host(): bait, one.source.Host(): bait,
		})),
		dockerSecret(one.namespace, mine, dockerConfig(map[string]string{
			releases.Host(): releases.auth, own.Host(): bait, one.source.Host(): bait,
		})),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: two.namespace}},
	)
	one.host(t)
	one.says(t, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "")

	// The operator has the release now, and the second tenant does not get it.
	hc := two.host(t)
	two.says(t, hyperv1.ValidReleaseImage, metav1.ConditionFalse, releases.Host())
	two.says(t, hyperv1.ValidReleaseImage, metav1.ConditionFalse, "401")
	// Mirrors of its own get no credential that is for the management cluster's.
	edit(t, two, hc, func(hc *hyperv1.HostedCluster) {
		hc.Annotations = map[string]string{"mirrorchain.dev/management-mirrors": "ignore"}
		hc.Spec.ImageContentSources = []hyperv1.ImageContentSource{
			{Source: two.source.Host() + "/" + machineconfig.ReleaseRepository, Mirrors: []string{own.Host() + "/" + machineconfig.MirroredRelease}},
			{Source: two.source.Host() + "/" + machineconfig.ComponentRepository, Mirrors: []string{own.Host() + "/" + machineconfig.MirroredComponents}},
		}
	})
	two.says(t, hyperv1.ValidReleaseImage, metav1.ConditionFalse, own.Host())
	if n := own.Count(testregistry.Match{If: testregistry.Request.Authorized}); n > 0 || own.Count() == 0 {
		t.Errorf("of %d requests to the second tenant's mirror %d have a credential, and it has given none", own.Count(), n)
	}
	two.auths[own.Host()] = own.auth
	edit(t, two, dockerSecret(two.namespace, sitePullSecret, nil), func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = two.pullSecret() })

	handed := func(releases, components recorder) string {
		from := one.source.Host() + "/"
		return from + machineconfig.ReleaseRepository + "=" + releases.Host() + "/" + machineconfig.MirroredRelease + "," +
			from + machineconfig.ComponentRepository + "=" + components.Host() + "/" + machineconfig.MirroredComponents
	}
	for _, c := range []struct {
		*world
		overrides     string
		cpo, ignition []string // whose credentials are used
	}{
		{one, handed(releases, components), []string{"mirror"}, []string{"mirror", "operator"}},
		{two, handed(own, own), []string{"tenant"}, []string{"tenant"}},
	} {
		c.rolledOut(t, c.overrides, c.overrides)
		p := c.nodePool(t, "np", c.releases[0])
		files := c.boots(t, p)
		c.canonical(t, p, files)
		for name, text := range files {
			for _, secret := range []string{releases.auth, components.auth, bait} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of a node of %s has a credential for mirrors", name, c.name)
				}
			}
		}
		c.credentials(t, c.controlPlane(), agentCPO, 8080, c.cpo...)
		c.credentials(t, c.controlPlane(), agentIgnition, 8080, c.ignition...)
	}
	one.credentials(t, deploy.Namespace, "operator", 9000, "tenant", "mirror")
	for _, name := range []string{"mirrorchain-mirror-credentials", "mirrorchain-management-mirror-credentials"} {
		key := client.ObjectKey{Namespace: two.controlPlane(), Name: name}
		if err := two.Get(t.Context(), key, new(corev1.Secret)); !apierrors.IsNotFound(err) {
			t.Errorf("Secret %s of the second tenant: %v; want none", key, err)
		}
	}
	releases.servedTo(t, agentHO, agentCPO, agentIgnition)
	components.servedTo(t, agentIgnition)
	own.servedTo(t, agentHO, agentCPO, agentIgnition)
	one.sourceUntouched(t)
}
