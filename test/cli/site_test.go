package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

type siteKey struct{}

// site is the registries of one script.
type site struct {
	work       string
	registries map[string]*testregistry.Registry
	signers    signers
	servers    []*httptest.Server
}

func newSite(work string) *site {
	return &site{work: work, registries: make(map[string]*testregistry.Registry)}
}

func (s *site) close() {
	for _, r := range s.registries {
		r.Close()
	}
	for _, server := range s.servers {
		server.Close()
	}
}

// registryCmd does what scripts do with registries. NAME becomes an environment
// variable that holds the registry's host and port.
//
//	registry start NAME [basic] [bearer] [plain] [untrusted] [mtls] [named] [realm] [storage]
//	registry push NAME REPO[:TAG] [docker|index|list] [big] [components=N] [multi] [real] [next] [programs] [keys=FILE]   sets $DIGEST
//	registry images NAME REPO COUNT[@VERSION] [but COMPONENT...]   what a release of that many components lists
//	registry remove NAME REPO@DIGEST
//	registry latency NAME DURATION
//	registry down|up|mute NAME
//	registry fail NAME KIND|HEAD|all STATUS|hang|flip|truncate|busy
//	registry certificate NAME|NAME_REALM|NAME_STORAGE valid|unknown|expired|wrong
//	registry requests NAME N          wants that many requests until now
//	registry auth FILE NAME...        writes a pull secret for these
//
// A registry's CA is in $WORK/certs.d, unless it is untrusted; one with a login
// wants the user "user" and the password "s3cr3t"; one with mtls wants what is in
// $WORK/client. One with realm issues tokens on a host of its own, NAME_REALM, and one
// with storage keeps blobs on another, NAME_STORAGE.
func registryCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(siteKey{}).(*site)
	if neg || len(args) < 2 {
		ts.Fatalf("usage: registry VERB NAME ...")
	}
	verb, name, rest := args[0], args[1], args[2:]
	var err error
	switch verb {
	case "start":
		err = s.start(ts, name, rest)
	case "auth":
		err = s.auth(ts, name, rest)
	default:
		name, part, _ := strings.Cut(name, "_")
		reg := s.registries[name]
		if reg == nil {
			ts.Fatalf("no registry %q", name)
		}
		err = s.do(ts, verb, reg, part, rest)
	}
	ts.Check(err)
}

func (s *site) start(ts *testscript.TestScript, name string, how []string) error {
	var cfg testregistry.Config
	trusted := true
	for _, h := range how {
		switch h {
		case "basic", "bearer":
			cfg.Auth.Scheme = map[string]testregistry.Scheme{"basic": testregistry.Basic, "bearer": testregistry.Bearer}[h]
			cfg.Auth.Users = []testregistry.User{{Name: "user", Password: "s3cr3t"}}
		case "plain":
			cfg.PlainHTTP = true
		case "untrusted":
			trusted = false
		case "mtls":
			cfg.RequireClientCertificate = true
		case "realm":
			cfg.Auth.Scheme, cfg.Auth.TokenElsewhere, cfg.Auth.Anonymous = testregistry.Bearer, true, []string{"ocp/release"}
		case "storage":
			cfg.RedirectBlobs = true
		case "named": // reached through a proxy alone
			cfg.Names = []string{namedHost}
		default:
			return fmt.Errorf("unknown kind of registry %q", h)
		}
	}
	r, err := testregistry.Start(cfg)
	if err != nil {
		return err
	}
	s.registries[name] = r
	ts.Setenv(name, r.Host())
	ts.Setenv(name+"_REALM", r.Token().Addr())
	if cfg.RedirectBlobs {
		ts.Setenv(name+"_STORAGE", r.Storage().Addr())
	}
	if !trusted || cfg.PlainHTTP {
		return nil
	}
	host := r.Host()
	if len(cfg.Names) > 0 {
		host = cfg.Names[0]
	}
	if cfg.RequireClientCertificate {
		cert, key, err := r.CA().ClientCertificate("somebody")
		if err != nil {
			return err
		}
		if err := errors.Join(s.write("client/client.cert", cert), s.write("client/client.key", key)); err != nil {
			return err
		}
	}
	return s.write(filepath.Join("certs.d", host, "ca.crt"), r.CA().PEM())
}

func (s *site) write(name string, content []byte) error {
	path := filepath.Join(s.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func (s *site) auth(ts *testscript.TestScript, file string, names []string) error {
	var entries []string
	for _, n := range names {
		entries = append(entries, fmt.Sprintf("%q:{\"auth\":%q}", s.registries[n].Host(), base64.StdEncoding.EncodeToString([]byte("user:s3cr3t"))))
	}
	return os.WriteFile(ts.MkAbs(file), []byte(`{"auths":{`+strings.Join(entries, ",")+`}}`), 0o600)
}

func (s *site) do(ts *testscript.TestScript, verb string, reg *testregistry.Registry, part string, args []string) error {
	switch verb {
	case "push":
		return s.push(ts, reg, args)
	case "images":
		return s.images(reg, args)
	case "remove":
		repo, digest, _ := strings.Cut(args[0], "@")
		reg.Remove(repo, digest)
		return nil
	case "latency":
		d, err := time.ParseDuration(args[0])
		reg.SetLatency(d)
		return err
	case "down":
		reg.Down()
		return nil
	case "up":
		return reg.Main().Up()
	case "mute":
		return reg.Mute()
	case "fail":
		return fail(reg, args)
	case "certificate":
		kinds := map[string]testregistry.CertificateKind{"valid": testregistry.ValidCertificate, "unknown": testregistry.UnknownAuthority, "expired": testregistry.Expired, "wrong": testregistry.WrongName}
		of := map[string]*testregistry.Endpoint{"": reg.Main(), "REALM": reg.Token(), "STORAGE": reg.Storage()}
		of[part].SetCertificate(kinds[args[0]])
		return nil
	case "requests":
		want, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if got := reg.Count(); got != want {
			return fmt.Errorf("%d requests, want %d", got, want)
		}
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (s *site) push(ts *testscript.TestScript, reg *testregistry.Registry, args []string) error {
	release := testpayload.Release{Components: 12, Manifests: 20, BaseLayers: []int64{1000}}
	kinds := args[1:]
	if i := slices.IndexFunc(kinds, func(k string) bool { return strings.HasPrefix(k, "components=") }); i >= 0 {
		n, err := strconv.Atoi(strings.TrimPrefix(kinds[i], "components="))
		if err != nil {
			return err
		}
		release.Components = n
	}
	for _, k := range kinds {
		if version, ok := strings.CutPrefix(k, "version="); ok {
			release.Version = version
		}
	}
	if slices.Contains(kinds, "big") {
		release = testpayload.Release{} // of real size
	}
	boot := testpayload.SingleStream
	if slices.Contains(kinds, "multi") {
		boot = testpayload.MultiStream
	}
	release.BootImages = boot
	if slices.Contains(kinds, "real") {
		var err error
		if release, err = testpayload.RealRelease(os.Getenv(testpayload.FolderVariable), boot); err != nil {
			return err
		}
	}
	if slices.Contains(kinds, "next") {
		release = nextRelease(release)
	}
	if slices.Contains(kinds, "programs") {
		program := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{
			{Name: "usr/bin/oc", Body: []byte("#!/bin/sh\necho this is oc\n"), Mode: 0o755},
			{Name: "usr/bin/openshift-install", Body: []byte("#!/bin/sh\n"), Mode: 0o755},
		}}}}.Image())
		reg.Push("ocp/art", "", program)
		text := strings.ReplaceAll(string(release.ImageReferences()), release.ComponentDigest("cli"), program.Digest)
		text = strings.Replace(text, `"name": "etcd"`, `"name": "installer"`, 1)
		text = strings.ReplaceAll(text, release.ComponentDigest("etcd"), program.Digest)
		release.Files = map[string][]byte{testpayload.ImageReferencesFile: []byte(text)}
	}
	for _, k := range kinds {
		if file, ok := strings.CutPrefix(k, "keys="); ok {
			if release.Files == nil {
				release.Files = make(map[string][]byte)
			}
			release.Files["release-manifests/0000_90_cluster-update-keys_configmap.yaml"] = []byte(ts.ReadFile(file))
		}
	}
	list := slices.Contains(kinds, "list")
	release.Docker = list || slices.Contains(kinds, "docker")
	img, err := release.Image()
	if err != nil {
		return err
	}
	if list || slices.Contains(kinds, "index") {
		release.Platform = provider.Platform{OS: "linux", Architecture: "arm64"}
		if release.Files == nil {
			release.Version = "4.17.3-arm64"
		}
		arm, err := release.Image()
		if err != nil {
			return err
		}
		ts.Setenv("ARM_DIGEST", arm.Digest)
		ts.Setenv("AMD_DIGEST", img.Digest)
		img = testpayload.Index(release.Docker, img, arm)
	}
	repo, tag, _ := strings.Cut(args[0], ":")
	ts.Setenv("DIGEST", reg.Push(repo, tag, img))
	return nil
}

// images pushes what a release lists, but the components named.
func (s *site) images(reg *testregistry.Registry, args []string) error {
	r, err := releaseOf(args[1])
	if err != nil {
		return err
	}
	for _, name := range r.ComponentNames() {
		if !slices.Contains(args[2:], name) {
			reg.Push(args[0], "", r.ComponentImage(name))
		}
	}
	if !slices.Contains(args[2:], "kubevirt") {
		reg.Push(args[0], "", r.KubeVirtImage(""))
	}
	return nil
}

// releaseOf returns a release by the number of its components, and its version: COUNT[@VERSION].
func releaseOf(text string) (testpayload.Release, error) {
	count, version, _ := strings.Cut(text, "@")
	n, err := strconv.Atoi(count)
	return testpayload.Release{Components: n, Version: version}, err
}

func fail(reg *testregistry.Registry, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: registry fail NAME KIND|METHOD|all HOW")
	}
	var a testregistry.Action
	switch args[1] {
	case "hang":
		a = testregistry.Hang()
	case "busy":
		a = testregistry.RetryLater(429, "600")
	case "flip":
		a = testregistry.FlipByte(100)
	case "truncate":
		a = testregistry.CutOff(100)
	default:
		code, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("unknown fault %q", args[1])
		}
		a = testregistry.Status(code)
	}
	m := testregistry.Match{Kind: testregistry.Kind(args[0])}
	switch args[0] {
	case "all":
		m = testregistry.Match{}
	case "HEAD":
		m = testregistry.Match{Method: args[0]}
	}
	reg.Fail(m, a)
	return nil
}
