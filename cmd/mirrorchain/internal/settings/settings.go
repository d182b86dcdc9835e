// Package settings reads what a user wants in every run: config.yaml, and variables of the
// environment that say the same. It says of each setting where it comes from. Flags win over
// both, and are the command's own.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FileVariable names another file than config.yaml in the user's configuration folder.
const FileVariable = "MIRRORCHAIN_CONFIG"

// Variables say what a setting of the file says, and win over it.
const (
	SourceVariable   = "MIRRORCHAIN_SOURCE" // several are separated by commas
	CacheDirVariable = "MIRRORCHAIN_CACHE_DIR"
	AuthfileVariable = "REGISTRY_AUTH_FILE" // that of podman, skopeo and oc
)

// maxSize bounds the file, in bytes. It takes some hundred.
const maxSize = 1 << 20

// Settings are what a user wants in every run. The zero value is nothing.
type Settings struct {
	// File is where config.yaml is, or would be; "" where there is no home directory.
	File   string
	Exists bool

	Sources              List
	Authfile             Text
	CertDirs             List
	CertificateAuthority Text
	CacheDir             Text
}

// Text is a setting and where it comes from, "config.yaml:3" or "$NAME"; From is "" where
// nobody says anything.
type Text struct{ Value, From string }

// List is a setting with several values.
type List struct {
	Values []string
	From   string
}

// config is the file.
type config struct {
	Sources              []spec   `yaml:"sources"`
	Authfile             string   `yaml:"authfile"`
	CertDirs             []string `yaml:"certDirs"`
	CertificateAuthority string   `yaml:"certificateAuthority"`
	CacheDir             string   `yaml:"cacheDir"`
}

// spec is a source as -s takes it.
type spec string

// UnmarshalYAML reads "cluster:" without quotes too, which YAML takes for a map.
func (s *spec) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[1].Tag == "!!null" {
		*s = spec(n.Content[0].Value + ":")
		return nil
	}
	return n.Decode((*string)(s))
}

// Load reads the file and the variables. A file that is not there is no error, unless
// [FileVariable] names it. Errors name the file and the line.
func Load(getenv func(string) string) (Settings, error) {
	s := Settings{File: path(getenv)}
	if s.File != "" {
		if err := s.read(getenv); err != nil {
			return s, err
		}
	}
	if v := getenv(SourceVariable); v != "" {
		s.Sources = List{From: "$" + SourceVariable}
		for spec := range strings.SplitSeq(v, ",") {
			if spec = strings.TrimSpace(spec); spec == "" {
				return s, fmt.Errorf("$%s is %q: an entry is empty; want SPEC,SPEC,... as -s takes them", SourceVariable, v)
			}
			s.Sources.Values = append(s.Sources.Values, spec)
		}
	}
	if v := getenv(AuthfileVariable); v != "" {
		s.Authfile = Text{v, "$" + AuthfileVariable}
	}
	if v := getenv(CacheDirVariable); v != "" {
		s.CacheDir = Text{v, "$" + CacheDirVariable}
	}
	return s, nil
}

// path returns the file that the environment names (XDG Base Directory Specification).
func path(getenv func(string) string) string {
	if v := getenv(FileVariable); v != "" {
		return v
	}
	folder := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(folder) { // the specification: a relative path is to be ignored
		home := getenv("HOME")
		if home == "" {
			return ""
		}
		folder = filepath.Join(home, ".config")
	}
	return filepath.Join(folder, "mirrorchain", "config.yaml")
}

func (s *Settings) read(getenv func(string) string) error {
	info, err := os.Stat(s.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && getenv(FileVariable) == "":
		return nil
	case err != nil:
		return err
	case info.Size() > maxSize:
		return fmt.Errorf("%s: more than %d bytes", s.File, maxSize)
	case info.IsDir():
		return fmt.Errorf("%s: a folder; want a file", s.File)
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return err
	}
	s.Exists = true
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", s.File, err)
	}
	if len(doc.Content) == 0 {
		return nil // nothing but comments
	}
	var c config
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return fmt.Errorf("%s: %w; known are sources, authfile, certDirs, certificateAuthority and cacheDir", s.File, err)
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		lines[doc.Content[0].Content[i].Value] = doc.Content[0].Content[i].Line
	}
	return s.take(c, func(name string) string { return fmt.Sprintf("%s:%d", s.File, lines[name]) }, getenv("HOME"))
}

// take notes what c says. Paths are relative to the folder of the file, and may begin with
// ~/.
func (s *Settings) take(c config, from func(name string) string, home string) error {
	full := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
			return filepath.Join(home, rest)
		}
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(s.File), path)
	}
	text := func(t *Text, name, value string) {
		if value != "" {
			*t = Text{full(value), from(name)}
		}
	}
	text(&s.Authfile, "authfile", c.Authfile)
	text(&s.CertificateAuthority, "certificateAuthority", c.CertificateAuthority)
	text(&s.CacheDir, "cacheDir", c.CacheDir)
	for _, dir := range c.CertDirs {
		if dir == "" {
			return fmt.Errorf("%s: certDirs: an entry is empty", from("certDirs"))
		}
		s.CertDirs.From = from("certDirs")
		s.CertDirs.Values = append(s.CertDirs.Values, full(dir))
	}
	for _, source := range c.Sources {
		spec := string(source)
		switch scheme, rest, ok := strings.Cut(spec, ":"); {
		case spec == "" || spec == "-" || spec == "file:-":
			return fmt.Errorf("%s: sources: %q is no source for every run; want a path, or what -s takes with a colon", from("sources"), spec)
		case !ok:
			spec = full(spec)
		case scheme == "file":
			spec = "file:" + full(rest)
		}
		s.Sources.From = from("sources")
		s.Sources.Values = append(s.Sources.Values, spec)
	}
	return nil
}
