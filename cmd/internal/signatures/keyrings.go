package signatures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/verify"
)

// keyringPrefix begins the keys of a ConfigMap that hold a keyring, as in the one that a
// release brings along, openshift-config-managed/release-verification.
const keyringPrefix = "verifier-public-key-"

// Keyrings reads keyrings from files, folders and ConfigMaps. A file is a keyring, each file
// of a folder is one, and so is each verifier-public-key-* of a ConfigMap. Without a path it
// is Red Hat's, which is built in.
func Keyrings(paths []string) (verify.Trust, error) {
	if len(paths) == 0 {
		return verify.NewTrust(verify.RedHat())
	}
	var all []verify.Keyring
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return verify.Trust{}, fmt.Errorf("--keyring: %w", err)
		}
		names := []string{path}
		if info.IsDir() {
			if names, err = files(path); err != nil {
				return verify.Trust{}, fmt.Errorf("--keyring: %w", err)
			}
			if len(names) == 0 {
				return verify.Trust{}, fmt.Errorf("--keyring %s: the folder has no file; want files with public keys", path)
			}
		}
		for _, name := range names {
			keyrings, err := keyringsOf(name)
			if err != nil {
				return verify.Trust{}, fmt.Errorf("--keyring: %w", err)
			}
			all = append(all, keyrings...)
		}
	}
	trust, err := verify.NewTrust(all...)
	if err != nil {
		return trust, fmt.Errorf("--keyring: %w", err)
	}
	return trust, nil
}

func keyringsOf(path string) ([]verify.Keyring, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	if !isObjects(data) {
		k, err := verify.ParseKeyring(path, data)
		return []verify.Keyring{k}, err
	}
	objects, err := objects(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []verify.Keyring
	for _, o := range objects {
		if o.kind != "ConfigMap" {
			continue
		}
		found, err := o.keyrings(path)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no ConfigMap in it has a key %s*", path, keyringPrefix)
	}
	return out, nil
}

// keyrings returns those of a ConfigMap, which is in a file.
func (o *object) keyrings(path string) ([]verify.Keyring, error) {
	var m verify.ConfigMap
	if err := json.Unmarshal(o.json, &m); err != nil {
		return nil, fmt.Errorf("%s: the ConfigMap cannot be read: %w", path, err)
	}
	var out []verify.Keyring
	for _, key := range slices.Sorted(maps.Keys(m.Data)) {
		if !strings.HasPrefix(key, keyringPrefix) {
			continue
		}
		k, err := verify.ParseKeyring(path+" "+key, []byte(m.Data[key]))
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// keysAnnotation marks the ConfigMap of a release that has its keyrings
// (openshift/cluster-version-operator, pkg/cvo).
const keysAnnotation = "release.openshift.io/verification-config-map"

// ReleaseKeyrings returns the keyrings that a release brings along, as the cluster-version
// operator finds them: they are in the first of its manifests, in the order of their names,
// that is a ConfigMap with the annotation release.openshift.io/verification-config-map.
// release names it for a person. Whether it is to be trusted is the caller's to know.
func ReleaseKeyrings(release string, manifests fs.FS) (verify.Trust, error) {
	entries, err := fs.ReadDir(manifests, ".") // sorted
	if err != nil {
		return verify.Trust{}, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := fs.ReadFile(manifests, e.Name())
		if err != nil {
			return verify.Trust{}, err
		}
		if !bytes.Contains(data, []byte(keysAnnotation)) {
			continue
		}
		path := release + " " + e.Name()
		objects, err := objects(data)
		if err != nil {
			return verify.Trust{}, fmt.Errorf("%s: %w", path, err)
		}
		for _, o := range objects {
			var m struct {
				Metadata struct {
					Annotations map[string]string `json:"annotations"`
				} `json:"metadata"`
			}
			if o.kind != "ConfigMap" || json.Unmarshal(o.json, &m) != nil {
				continue
			}
			if _, ok := m.Metadata.Annotations[keysAnnotation]; !ok {
				continue
			}
			keyrings, err := o.keyrings(path)
			if err == nil && len(keyrings) == 0 {
				err = fmt.Errorf("%s: the ConfigMap has no key %s*", path, keyringPrefix)
			}
			if err != nil {
				return verify.Trust{}, err
			}
			return verify.NewTrust(keyrings...)
		}
	}
	return verify.Trust{}, fmt.Errorf("%s: no manifest is a ConfigMap with the annotation %s", release, keysAnnotation)
}
