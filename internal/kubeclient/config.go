package kubeclient

import (
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config says which cluster to ask, and how. The zero value is the cluster that
// kubectl would ask, and inside a pod the one that the pod is in.
type Config struct {
	// REST is the connection, for programs that have one already. It is copied.
	// Timeout is left out of it, because it would end watches; QPS and Burst hold
	// for each source by itself and default to 5 and 10, also where they are
	// negative: a policy that somebody writes in a loop must not become a loop here.
	REST *rest.Config
	// Kubeconfig is the path of a kubeconfig file. Empty means those of $KUBECONFIG
	// or ~/.kube/config, and without these the service account of the pod.
	Kubeconfig string
	// Context is the kubeconfig's context to use; empty means its current one.
	Context string
	// AbsentPoll is how often a kind is looked for that the cluster does not have.
	// Default 10 s.
	AbsentPoll time.Duration
}

const (
	defaultQPS        = 5
	defaultBurst      = 10
	defaultAbsentPoll = 10 * time.Second
)

// Connect returns how to reach the cluster, completed with our defaults. It asks nobody.
func Connect(c Config) (*rest.Config, error) {
	cfg := c.REST
	switch {
	case cfg != nil && (c.Kubeconfig != "" || c.Context != ""):
		return nil, errors.New("both a connection and a kubeconfig are given; drop one of them")
	case cfg == nil:
		var err error
		if cfg, err = c.load(); err != nil {
			return nil, err
		}
	}
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = 0
	cfg.RateLimiter = nil
	if cfg.QPS <= 0 {
		cfg.QPS = defaultQPS
	}
	if cfg.Burst <= 0 {
		cfg.Burst = max(defaultBurst, int(cfg.QPS))
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "mirrorchain"
	}
	if cfg.WarningHandler == nil && cfg.WarningHandlerWithContext == nil {
		cfg.WarningHandler = rest.NoWarnings{} // that a kind is deprecated is no news to who reads it
	}
	return cfg, nil
}

// checkReadable refuses what reading may wait on, or never end: a pipe, a device. The
// null device is an empty file. What is not there, or not to be read, is for the loader
// to report.
func checkReadable(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() || path == os.DevNull {
		return nil
	}
	return fmt.Errorf("kubeconfig: %s is not a regular file; copy it into one", path)
}

// load finds the connection as kubectl does.
func (c Config) load() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	for _, path := range rules.GetLoadingPrecedence() {
		if err := checkReadable(path); err != nil {
			return nil, err
		}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, errors.New("no kubeconfig; name one with --kubeconfig or $KUBECONFIG, or run inside a pod")
	case err != nil:
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return cfg, nil
}
