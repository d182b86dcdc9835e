package authfile

import (
	"path/filepath"
	"strconv"
)

// places returns the files in the order they are asked: containers-auth.json(5)
// first, docker's after it.
func (c Config) places() []File {
	env := func(name string) string {
		if c.LookupEnv == nil {
			return ""
		}
		v, _ := c.LookupEnv(name)
		return v
	}
	var all []File
	add := func(why string, must bool, path ...string) {
		if path[0] == "" {
			return
		}
		file := filepath.Join(path...)
		for _, f := range all {
			if f.Path == file {
				return
			}
		}
		all = append(all, File{Path: file, Why: why, must: must})
	}
	run := c.RunDir
	if run == "" {
		run = "/run"
	}
	home := env("HOME")

	add("--authfile", true, c.Authfile)
	add("REGISTRY_AUTH_FILE", true, env("REGISTRY_AUTH_FILE"))
	add("XDG_RUNTIME_DIR", false, env("XDG_RUNTIME_DIR"), "containers", "auth.json")
	add("podman's default", false, run, "containers", strconv.Itoa(c.UID), "auth.json")
	if xdg := env("XDG_CONFIG_HOME"); xdg != "" {
		add("XDG_CONFIG_HOME", false, xdg, "containers", "auth.json")
	} else {
		add("XDG_CONFIG_HOME's default", false, home, ".config", "containers", "auth.json")
	}
	add("DOCKER_CONFIG", false, env("DOCKER_CONFIG"), "config.json")
	add("docker's default", false, home, ".docker", "config.json")
	return all
}
