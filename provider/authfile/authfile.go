// Package authfile finds the credentials for image references where oc, podman
// and docker keep them: in a list of files, and in the credential helpers that
// those files name.
//
// It reads files and runs helpers; it never asks a registry, and it never writes.
// What it says about them (files, entries, warnings, errors) holds no secret.
package authfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Config says where to look. The zero value looks nowhere but in /run.
type Config struct {
	// Authfile is asked before all others and must exist; "" is none.
	Authfile string
	// LookupEnv is the environment: REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR,
	// XDG_CONFIG_HOME, DOCKER_CONFIG, HOME. nil is an empty one.
	LookupEnv func(string) (string, bool)
	// RunDir holds containers/UID/auth.json; "" is /run.
	RunDir string
	// UID is the user's.
	UID int
	// HelperTimeout ends a credential helper that does not answer; 0 is 15 s,
	// enough for one that asks a cloud for a token.
	HelperTimeout time.Duration
}

// Found is what was found, and where.
type Found struct {
	// Credentials has one entry for each repository asked for that any file has
	// credentials for, and nothing else.
	Credentials provider.Credentials
	// Uses says for each repository asked for, in order, where its credentials
	// come from.
	Uses []Use
	// Files are the files looked at, in order, those that are not there too.
	Files []File
	// Warnings are for a person: a helper that failed, or one that is not used
	// since its key has a path.
	Warnings []string
}

// Use is where the credentials of one repository come from.
type Use struct {
	Ref    imageref.Ref
	File   string // "" where there are none
	Entry  string // the key in the file: "quay.io/openshift"
	Helper string // the credential helper that answered or failed, "" for none
	Failed bool   // the helper named for this registry failed, so none are used
}

// File is a place that was looked at.
type File struct {
	Path   string // of the file
	Why    string // what makes it a candidate: "--authfile", "DOCKER_CONFIG", ...
	Exists bool   // false for one that is not there
	must   bool
}

// Find looks for the credentials of each reference: the first file with an entry
// for it wins, and in that file the longest key that is its repository or whole
// leading components of it. Files are read only as far as needed. A file that
// cannot be read or parsed is an error that names it and quotes nothing of it;
// one that is not there is one only where it was named by --authfile or
// REGISTRY_AUTH_FILE.
//
// A credential helper runs only for the registries of refs. One that fails is a
// warning; where the file names it for that very registry (credHelpers), no other
// file is asked in its place. Helpers are for whole registries: a key of
// credHelpers with a path other than Docker's legacy /v1/ and /v2/ is not used,
// which is a warning. So is an entry of a file that cannot be used, and the second of two
// for one registry: they are left out, see [provider.ParseCredentials].
func Find(ctx context.Context, cfg Config, refs ...imageref.Ref) (Found, error) {
	var found Found
	s := search{cfg: cfg, places: cfg.places()}
	entries := make(map[string]provider.Credential)
	seen := make(map[string]bool)
	for _, ref := range refs {
		if ref.IsZero() || seen[ref.Name()] {
			continue
		}
		seen[ref.Name()] = true
		use, cred, err := s.find(ctx, ref)
		if err != nil {
			return Found{}, err
		}
		if !cred.IsZero() {
			entries[ref.Name()] = cred
		}
		found.Uses = append(found.Uses, use)
	}
	found.Files = s.places[:len(s.read)]
	found.Warnings = s.warnings
	var err error
	found.Credentials, err = provider.NewCredentials(entries)
	return found, err
}

// search reads files in order, each at most once and only when the ones before
// it have no answer.
type search struct {
	cfg      Config
	places   []File
	read     []*authFile // of places, as far as read; nil for one that is not there
	helpers  map[helperKey]helperAnswer
	warnings []string
}

func (s *search) find(ctx context.Context, ref imageref.Ref) (Use, provider.Credential, error) {
	for i := range s.places {
		f, err := s.file(ctx, i)
		if err != nil {
			return Use{}, provider.Credential{}, err
		}
		if f == nil {
			continue
		}
		use, cred, ok, err := s.inFile(ctx, f, ref)
		if err != nil || ok {
			return use, cred, err
		}
	}
	return Use{Ref: ref}, provider.Credential{}, nil
}

func (s *search) file(ctx context.Context, i int) (*authFile, error) {
	if i < len(s.read) {
		return s.read[i], nil
	}
	p := &s.places[i]
	content, err := readFile(ctx, p.Path)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		f, err := parse(p.Path, content)
		if err != nil {
			return nil, fmt.Errorf("%s (%s): %w", p.Path, p.Why, err)
		}
		for _, w := range f.warnings {
			s.warn("%s: %s", p.Path, w)
		}
		p.Exists = true
		s.read = append(s.read, f)
		return f, nil
	case !p.must && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		s.read = append(s.read, nil)
		return nil, nil
	}
	return nil, fmt.Errorf("credentials file named by %s: %w", p.Why, err)
}

// inFile returns the answer of one file: longest key first; of two for the whole
// registry a helper named for it before a stored password, as docker and podman
// have it; the default helper last.
func (s *search) inFile(ctx context.Context, f *authFile, ref imageref.Ref) (Use, provider.Credential, bool, error) {
	use := Use{Ref: ref, File: f.path}
	host := ref.Registry()
	for _, key := range f.ignored[host] {
		s.warn("%s: credHelpers[%q]: ignored, as it has a path; helpers are for whole registries: %q", f.path, key, host)
	}
	key, cred, ok := f.auths.Match(ref)
	if helper := f.credHelpers[host]; helper != "" && (!ok || key == host) {
		use.Entry, use.Helper = host, helper
		cred, ok, err := s.ask(ctx, helper, host)
		if err != nil {
			if ctx.Err() != nil {
				return use, cred, false, context.Cause(ctx)
			}
			s.warn("%s: credHelpers[%q]: %v; %s is asked without credentials", f.path, host, err, host)
			use.Failed = true
			return use, provider.Credential{}, true, nil
		}
		if ok {
			return use, cred, true, nil
		}
		use.Helper = ""
	}
	if ok {
		use.Entry = key
		return use, cred, true, nil
	}
	if f.credsStore != "" {
		use.Entry, use.Helper = host, f.credsStore
		cred, ok, err := s.ask(ctx, f.credsStore, host)
		if err != nil {
			if ctx.Err() != nil {
				return use, cred, false, context.Cause(ctx)
			}
			s.warn("%s: credsStore: %v; looking for credentials of %s elsewhere", f.path, err, host)
			return use, provider.Credential{}, false, nil
		}
		return use, cred, ok, nil
	}
	return use, provider.Credential{}, false, nil
}

func (s *search) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	for _, old := range s.warnings {
		if old == w {
			return
		}
	}
	s.warnings = append(s.warnings, w)
}
