package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/settings"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// settings returns what the user wants in every run. The file is read once.
func (a *app) settings() (settings.Settings, error) {
	if a.saved == nil {
		s, err := settings.Load(a.sys.getenv)
		if err != nil {
			return s, fmt.Errorf("reading the settings: %w", err)
		}
		a.saved = &s
	}
	return *a.saved, nil
}

// applySettings fills in what no flag says.
func (a *app) applySettings() error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	o := &a.opts
	if len(o.sources) == 0 && len(s.Sources.Values) > 0 {
		o.sources = s.Sources.Values
		a.verbosef("sources from %s: %s", s.Sources.From, strings.Join(s.Sources.Values, ", "))
	}
	if o.authfile == "" && s.Authfile.From != "$"+settings.AuthfileVariable { // that is found where credentials are looked for
		o.authfile = s.Authfile.Value
	}
	if len(o.certDirs) == 0 {
		o.certDirs = s.CertDirs.Values
	}
	if o.authorities == "" {
		o.authorities = s.CertificateAuthority.Value
	}
	return nil
}

// checkOptions fills in what no flag says, and refuses values that the types of the flags
// allow.
func (a *app) checkOptions() error {
	if err := a.applySettings(); err != nil {
		return err
	}
	return a.opts.check()
}

// configuration is config's JSON.
type configuration struct {
	File     string    `json:"file"` // "" where there is no home directory
	Exists   bool      `json:"exists"`
	Settings []setting `json:"settings"`
}

type setting struct {
	Name   string   `json:"name"` // in config.yaml
	Values []string `json:"values"`
	// From is a flag, "$NAME", "FILE:LINE", or "" where nobody says anything.
	From string `json:"from"`
}

func (a *app) configCmd() *cobra.Command {
	return only(&cobra.Command{
		Use:   "config",
		Short: "Print the settings, and where each comes from",
		Long: `config prints the settings of every run, and where each comes from: a flag, a variable
of the environment, or the file ~/.config/mirrorchain/config.yaml ($XDG_CONFIG_HOME is
used instead of ~/.config if it is set). $MIRRORCHAIN_CONFIG names another file; /dev/null
is none. A flag overrides a variable, and a variable overrides the file.

The file is YAML. Everything in it may be left out:

  # policies, as -s takes them
  sources: [cluster-resources/, "cluster:"]
  # a pull secret to ask before the usual places
  authfile: ~/pull-secret.json
  # directories with REGISTRY[:PORT]/*.crt, and a file with CAs for all registries
  certDirs: [/etc/containers/certs.d]
  certificateAuthority: ca.pem
  # what release info keeps between runs
  cacheDir: ~/.cache/mirrorchain

Paths are relative to the folder of the file. If -s is given, the sources of the file are
not read.`,
		Example: `  mirrorchain config

  # what would this run use?
  mirrorchain config -s idms.yaml -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.config() },
	}, "source", "authfile", "registry-config", "cert-dir", "certificate-authority", "output", "full", "verbose")
}

func (a *app) config() error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	c := configuration{File: s.File, Exists: s.Exists}
	add := func(name, flag string, given []string, saved settings.List) {
		if len(given) > 0 {
			saved = settings.List{Values: given, From: flag}
		}
		c.Settings = append(c.Settings, setting{name, output.List(saved.Values), saved.From})
	}
	list := func(value string) []string {
		if value == "" {
			return nil
		}
		return []string{value}
	}
	text := func(name, flag, given string, saved settings.Text) {
		add(name, flag, list(given), settings.List{Values: list(saved.Value), From: saved.From})
	}
	o := a.opts
	add("sources", "--source", o.sources, s.Sources)
	text("authfile", "--authfile", o.authfile, s.Authfile)
	add("certDirs", "--cert-dir", o.certDirs, s.CertDirs)
	text("certificateAuthority", "--certificate-authority", o.authorities, s.CertificateAuthority)
	text("cacheDir", "--cache-dir", "", s.CacheDir)
	return a.print(c, func(w io.Writer) { c.text(w, a.look()) })
}

func (c configuration) text(w io.Writer, l table.Look) {
	switch {
	case c.File == "":
		fmt.Fprintln(w, "no configuration folder: HOME is not set")
	case c.Exists:
		fmt.Fprint(w, output.Line("%s", c.File))
	default:
		fmt.Fprint(w, output.Line("%s (does not exist)", c.File))
	}
	t := table.Table{Columns: []table.Column{{Title: "SETTING", Cut: table.Never}, {Title: "VALUE", Cut: table.Never}, {Title: "FROM", Cut: table.Address}}}
	for _, s := range c.Settings {
		if len(s.Values) == 0 {
			t.Add(table.Plain(s.Name), table.Plain("-"))
		}
		for i, v := range s.Values {
			name, from := s.Name, s.From
			if i > 0 {
				name, from = "", ""
			}
			t.Add(table.Plain(name), table.Plain(v), table.Plain(from))
		}
	}
	t.Write(w, l)
}
