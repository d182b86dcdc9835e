package pullsecret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// authFile is a docker config.json or a containers auth.json.
type authFile struct {
	path        string
	auths       provider.Credentials
	credHelpers map[string]string // by registry
	credsStore  string
}

// readFile is os.ReadFile that does not outwait ctx. A pipe without a writer, which
// a file may be, keeps its reader for as long as it stands; that is then left
// alone.
func readFile(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		content []byte
		err     error
	}
	read := make(chan result, 1)
	go func() {
		content, err := os.ReadFile(path)
		read <- result{content, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-read:
		return r.content, r.err
	}
}

func parse(path string, content []byte) (*authFile, error) {
	f := &authFile{path: path}
	if len(bytes.TrimSpace(content)) == 0 { // /dev/null is a way to say none
		return f, nil
	}
	var err error
	if f.auths, err = provider.ParseCredentials(content); err != nil {
		return nil, err
	}
	var helpers struct {
		CredHelpers map[string]string `json:"credHelpers"`
		CredsStore  string            `json:"credsStore"`
	}
	if err := json.Unmarshal(content, &helpers); err != nil {
		// Not wrapped: such errors may quote the file.
		return nil, errors.New("credHelpers must map registries to names of helpers, and credsStore be one name")
	}
	f.credsStore = helpers.CredsStore
	if err := checkHelper(f.credsStore); err != nil {
		return nil, fmt.Errorf("credsStore: %w", err)
	}
	f.credHelpers = make(map[string]string, len(helpers.CredHelpers))
	for key, name := range helpers.CredHelpers {
		if err := checkHelper(name); err != nil {
			return nil, fmt.Errorf("credHelpers[%q]: %w", key, err)
		}
		f.credHelpers[registryOf(key)] = name
	}
	return f, nil
}

// checkHelper refuses names that would run something else than
// docker-credential-NAME from the PATH.
func checkHelper(name string) error {
	if strings.ContainsAny(name, `/\`) || strings.ContainsRune(name, 0) {
		return errors.New("want the NAME of a docker-credential-NAME program, without a path")
	}
	return nil
}

// registryOf is the registry that a key of credHelpers means.
func registryOf(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		return "docker.io"
	}
	return host
}
