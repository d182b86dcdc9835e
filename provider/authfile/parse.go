package authfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// authFile is a docker config.json or a containers auth.json.
type authFile struct {
	path        string
	auths       provider.Credentials
	credHelpers map[string]string   // by registry
	ignored     map[string][]string // by registry: keys of credHelpers with a path, as errors quote them
	credsStore  string
	warnings    []string // of entries that were left out
}

// readFile does what os.ReadFile does, and does not outwait ctx. A pipe without a writer, which
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
		content, err := readBounded(path)
		read <- result{content, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-read:
		return r.content, r.err
	}
}

// maxFile is far more than any file with credentials has.
const maxFile = 16 << 20

// readBounded does what os.ReadFile does, for what may have no end, such as a device.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return content, err
}

func parse(path string, content []byte) (*authFile, error) {
	f := &authFile{path: path}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(content)) == 0 { // /dev/null is a way to say none
		return f, nil
	}
	var err error
	if f.auths, err = provider.ParseCredentials(content); err != nil {
		return nil, err
	}
	f.warnings = f.auths.Warnings()
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
	f.ignored = make(map[string][]string)
	keys := make(map[string]string) // by registry
	leftOut := func(key string, why any) {
		f.warnings = append(f.warnings, fmt.Sprintf("credHelpers[%q]: %v; the entry is left out", withoutUser(key), why))
	}
	for _, key := range slices.Sorted(maps.Keys(helpers.CredHelpers)) {
		name, quoted := helpers.CredHelpers[key], withoutUser(key)
		if err := checkHelper(name); err != nil {
			leftOut(key, err)
			continue
		}
		registry, whole := registryOf(key)
		if !whole {
			f.ignored[registry] = append(f.ignored[registry], quoted)
			continue
		}
		if other, ok := keys[registry]; ok {
			loser := key
			if key == registry { // it is the one that is written as registries are
				loser = other
				keys[registry], f.credHelpers[registry] = key, name
			}
			leftOut(loser, "a second entry for "+withoutUser(registry))
			continue
		}
		keys[registry], f.credHelpers[registry] = key, name
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

// registryOf returns the registry that a key of credHelpers is about, and whether it means
// all of it. Docker's legacy /v1/ and /v2/ are no path; another is a part of the
// registry, for which nobody runs helpers: they are asked by registry.
func registryOf(key string) (registry string, whole bool) {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, path, _ := strings.Cut(strings.TrimRight(key, "/"), "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	return host, path == "" || path == "v1" || path == "v2"
}

// withoutUser returns a key as messages quote it: who writes a user into a URL may write
// a password there too.
func withoutUser(key string) string {
	if i := strings.LastIndexByte(key, '@'); i >= 0 {
		return "..." + key[i:]
	}
	return key
}
