package deploy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// statusCertificate returns a folder with a certificate, as the Secret status-certificate is mounted.
func statusCertificate(t *testing.T) string {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.ClientCertificate("127.0.0.1") // is one for servers, too
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tls.crt"), cert)
	write(t, filepath.Join(dir, "tls.key"), key)
	return dir
}

// servesViewers fails the test unless the status page is for accounts that have the ClusterRole of the
// component, which the operator can say once it has the component's right to ask, and not before.
func servesViewers(t *testing.T, c *cluster.Cluster, p *running) {
	t.Helper()
	component := deploy.Folder(t, "components/status-page-service")
	kubectl := func(args ...string) {
		t.Helper()
		if out, err := c.Kubectl(t, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	token := func(account string) string {
		t.Helper()
		kubectl("create", "serviceaccount", account, "--namespace="+deploy.Namespace)
		return deploy.As(t, c, deploy.Namespace, account).BearerToken
	}
	viewer, other := token("viewer"), token("other")
	kubectl("apply", "--server-side", "-f", filepath.Join(component, "clusterrole.yaml"))
	kubectl("create", "clusterrolebinding", "status-viewers", "--clusterrole=mirrorchain-status-viewer", "--serviceaccount="+deploy.Namespace+":viewer")
	answers := func(who, token string, want int, part string) {
		t.Helper()
		cluster.Await(t, "the status page for "+who, func(ctx context.Context) error { // the API server learns of rights soon
			status, text, err := askPage(ctx, p.page, token)
			if err == nil && (status != want || !strings.Contains(text, part)) {
				err = fmt.Errorf("status %d: %s", status, text)
			}
			return err
		})
	}
	answers("a viewer, of an operator without the right to ask", viewer, http.StatusServiceUnavailable, "could not be asked")
	kubectl("apply", "--server-side", "-f", filepath.Join(component, "clusterrolebinding.yaml"))
	answers("a viewer", viewer, http.StatusOK, releaseSource)
	answers("another account", other, http.StatusForbidden, "you may not get /status")
	answers("nobody", "", http.StatusUnauthorized, "a bearer token is needed")
}

// askPage asks for the status page. No authority vouches for it here.
func askPage(ctx context.Context, addr, token string) (status int, text string, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/status", nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.ReplaceAll(string(body), "<wbr>", ""), err
}
