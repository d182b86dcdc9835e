package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig writes a kubeconfig with one context, named "test", for whoever conn
// connects as, and returns its path. It is gone when the test has ended.
func (c *Cluster) Kubeconfig(t testing.TB, conn *rest.Config) string {
	t.Helper()
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["test"] = &clientcmdapi.Cluster{Server: "https://" + conn.Host, CertificateAuthority: conn.CAFile}
	cfg.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: conn.BearerToken, Impersonate: conn.Impersonate.UserName}
	cfg.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	cfg.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Kubectl returns a kubectl command on this cluster, as the administrator.
func (c *Cluster) Kubectl(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(c.bin, "kubectl"), args...)
	// A home of its own: kubectl keeps caches there.
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG="+c.Kubeconfig(t, c.Config()))
	return cmd
}
