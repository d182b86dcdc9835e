package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// checkScope refuses a scope that no image could lie in. Nodes compare scopes with
// names byte for byte, so one that is malformed would block or allow nothing, and
// say nothing.
func checkScope(s string) error {
	if domain, ok := strings.CutPrefix(s, "*."); ok {
		switch {
		case !imageref.IsHost(domain):
			return errors.New("a wildcard stands for whole hosts")
		case strings.ToLower(s) != s:
			return errUpperCase
		}
		return nil
	}
	host, path, _ := strings.Cut(s, "/")
	switch {
	case s == "":
		return errors.New("it is empty")
	case strings.Contains(s, ","):
		return errors.New("it is one scope; repeat the flag for more")
	case strings.Contains(s, "://"):
		return errors.New("it has a scheme")
	case strings.HasSuffix(s, "/"):
		return errors.New("it ends in a slash")
	case strings.ContainsAny(s, "*"):
		return errors.New("a wildcard is *.DOMAIN")
	case strings.ToLower(s) != s:
		return errUpperCase
	}
	image := s
	if path == "" {
		image += "/any"
	}
	ref, err := imageref.Parse(image)
	if err != nil {
		return errors.New("it is neither a registry nor a repository")
	}
	want := ref.Name()
	if path == "" {
		want = ref.Registry()
	}
	switch {
	case ref.Tag() != "" || ref.Digest() != "":
		return errors.New("it has a tag or a digest; scopes are whole repositories at least")
	case host != ref.Registry() && host != "index.docker.io":
		return errors.New("it starts with no registry host (no dot, no port)")
	case want != s:
		return fmt.Errorf("its images are known as those of %s", want)
	}
	return nil
}

var errUpperCase = errors.New("it has upper-case letters, and nodes compare names byte for byte; hosts are written in lower case")
