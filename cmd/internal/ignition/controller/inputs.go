package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// Objects of the control plane namespace that payloads are made of.
const (
	secretKubeconfig = "bootstrap-kubeconfig"
	configManagedCA  = "trusted-ca-bundle-managed"
	configServer     = "machine-config-server"
	configAzure      = "azure-cloud-config"
	configOpenStack  = "openstack-cloud-config"

	kubeconfigKey  = "kubeconfig"
	cloudConfigKey = "cloud.conf"
)

// isInput reports whether a change of that Secret or ConfigMap may let a payload be
// made that could not be made before.
func isInput(name string) bool {
	return slices.Contains([]string{
		hypershift.PullSecret, hypershift.MirrorCredentials, hypershift.ManagementMirrorCredentials, secretKubeconfig, hypershift.UserCABundle, configManagedCA, configServer, configAzure, configOpenStack,
	}, name)
}

// gather reads what the payload of a token Secret is made of. Errors name the object and
// hold none of its content.
func gather(ctx context.Context, c client.Reader, s *corev1.Secret, platform string) (payload.Inputs, error) {
	config, err := payload.DecodeConfig(s.Data[tokens.KeyConfig])
	if err != nil {
		return payload.Inputs{}, err
	}
	text := func(key string) string { return string(s.Data[key]) }
	in := payload.Inputs{
		Name: s.Name, Release: text(tokens.KeyRelease), Config: config, OSStream: text(tokens.KeyOSStream), Platform: platform,
		PullSecretHash: text(tokens.KeyPullHash), UserCABundleHash: text(tokens.KeyTrustHash),
		ConfigurationHash: text(tokens.KeyHCHash), CloudConfigHash: text(tokens.KeyCloudHash),
	}
	g := gatherer{c, s.Namespace}
	pullSecret, err := g.secret(ctx, hypershift.PullSecret, hypershift.PullSecretKey)
	if err != nil {
		return payload.Inputs{}, err
	}
	if in.PullSecret = pullSecret.Data[hypershift.PullSecretKey]; replaced(pullSecret, s) {
		in.PullSecretHash = ""
	}
	if in.MirrorCredentials, err = hypershift.CopiedMirrorCredentials(ctx, c, s.Namespace); err != nil {
		return payload.Inputs{}, err
	}
	kubeconfig, err := g.secret(ctx, secretKubeconfig, kubeconfigKey)
	if err != nil {
		return payload.Inputs{}, err
	}
	in.BootstrapKubeconfig = kubeconfig.Data[kubeconfigKey]
	server, err := g.configMap(ctx, configServer)
	if err != nil {
		return payload.Inputs{}, err
	}
	if server == nil {
		return payload.Inputs{}, fmt.Errorf("configmap %s: it does not exist yet; waiting for it", configServer)
	}
	in.MachineConfigServer = server.Data
	user, err := g.configMap(ctx, hypershift.UserCABundle)
	if err != nil {
		return payload.Inputs{}, err
	}
	if user != nil {
		if in.UserCABundle, err = hypershift.CABundle(user); err != nil {
			return payload.Inputs{}, err
		}
		if replaced(user, s) {
			in.UserCABundleHash = ""
		}
	}
	managed, err := g.configMap(ctx, configManagedCA)
	if err != nil {
		return payload.Inputs{}, err
	}
	if managed != nil && managed.Data != nil {
		bundle := managed.Data[hypershift.CABundleKey]
		in.ManagedCABundle = &bundle
	}
	in.CloudConfig, err = g.cloudConfig(ctx, platform, in.CloudConfigHash)
	return in, err
}

// replaced reports whether who writes the data of a Secret or ConfigMap wrote it after the
// token Secret was made, as when a pull secret is rotated in place. The token Secret then has the
// hash of what will never come back: HyperShift's controller of node pools writes the hashes
// of the pull secret and of the CA bundle once (reconcileTokenSecret). What is newer is what
// nodes are to have. What is older may not be up to date yet.
func replaced(obj client.Object, token *corev1.Secret) bool {
	made := token.CreationTimestamp.Time
	return obj.GetCreationTimestamp().After(made) || slices.ContainsFunc(obj.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Time != nil && m.Time.After(made) && m.FieldsV1 != nil && bytes.Contains(m.FieldsV1.GetRawBytes(), []byte(`"f:data"`))
	})
}

type gatherer struct {
	client.Reader
	namespace string
}

// secret reads a Secret, which has that key.
func (g gatherer) secret(ctx context.Context, name, key string) (*corev1.Secret, error) {
	s := new(corev1.Secret)
	err := g.Get(ctx, types.NamespacedName{Namespace: g.namespace, Name: name}, s)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s: it does not exist; waiting for it", name)
	}
	if err != nil {
		return nil, &hypershift.ReadError{What: "secret " + name, Err: err}
	}
	if _, ok := s.Data[key]; !ok {
		return nil, fmt.Errorf("secret %s: it has no key %s", name, key)
	}
	return s, nil
}

// configMap reads a ConfigMap. It returns nil if there is none.
func (g gatherer) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	c := new(corev1.ConfigMap)
	err := g.Get(ctx, types.NamespacedName{Namespace: g.namespace, Name: name}, c)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, &hypershift.ReadError{What: "configmap " + name, Err: err}
	}
	return c, nil
}

// cloudConfig reads the cloud provider's configuration. It returns nil if the platform
// has none, or if it does not exist yet.
func (g gatherer) cloudConfig(ctx context.Context, platform, want string) (*payload.CloudConfig, error) {
	name, ok := map[string]string{"Azure": configAzure, "OpenStack": configOpenStack}[platform]
	if !ok {
		return nil, nil
	}
	c, err := g.configMap(ctx, name)
	if err != nil || c == nil {
		return nil, err
	}
	manifest, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": c.Name, "namespace": c.Namespace},
		"data":     c.Data,
	})
	if err != nil {
		return nil, fmt.Errorf("configmap %s: %w", name, err)
	}
	hash, err := cloudConfigHash(c.Data, want)
	if err != nil {
		return nil, fmt.Errorf("configmap %s: %w", name, err)
	}
	return &payload.CloudConfig{Manifest: manifest, Hash: hash}, nil
}

// cloudConfigHash returns want if that is the hash of data, and else another one. It is
// not documented what a producer of token Secrets hashes: the value of cloud.conf as a
// string or as bytes, or the whole data, printed or as JSON. Each of them identifies the
// content, so each is accepted.
func cloudConfigHash(data map[string]string, want string) (string, error) {
	text, err := json.Marshal(data) // keys are sorted, as those of printed maps are
	if err != nil {
		return "", errors.New("its data cannot be written as JSON")
	}
	sum := fnv.New32a()
	_, _ = sum.Write(text)
	conf := data[cloudConfigKey]
	all := []string{payload.Hash(conf), payload.Hash([]byte(conf)), payload.Hash(data), fmt.Sprintf("%08x", sum.Sum32())}
	if slices.Contains(all, want) {
		return want, nil
	}
	return all[0], nil
}
