package signatures

import (
	"encoding/json"
	"fmt"
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
		var m verify.ConfigMap
		if o.kind != "ConfigMap" {
			continue
		}
		if err := json.Unmarshal(o.json, &m); err != nil {
			return nil, fmt.Errorf("%s: the ConfigMap cannot be read: %w", path, err)
		}
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
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no ConfigMap in it has a key %s*", path, keyringPrefix)
	}
	return out, nil
}
