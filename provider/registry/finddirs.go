package registry

import (
	"os"
	"path/filepath"
)

// FindCertDirs returns the certs.d directories of containers and docker that exist, in the
// order in which [CertDirs] asks them: the user's ($XDG_CONFIG_HOME/containers/certs.d,
// by default below $HOME/.config), then /etc/containers/certs.d, then
// /etc/docker/certs.d (containers-certs.d(5)). lookupEnv is [os.LookupEnv] or a stand-in.
func FindCertDirs(lookupEnv func(string) (string, bool)) []string {
	config, _ := lookupEnv("XDG_CONFIG_HOME")
	if home, _ := lookupEnv("HOME"); config == "" && home != "" {
		config = filepath.Join(home, ".config")
	}
	dirs := []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}
	if config != "" {
		dirs = append([]string{filepath.Join(config, "containers", "certs.d")}, dirs...)
	}
	var found []string
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			found = append(found, dir)
		}
	}
	return found
}
