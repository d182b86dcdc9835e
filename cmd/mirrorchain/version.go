package main

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// outputVersion is the version of the JSON of all commands. It changes if a field is
// taken away, or means something else.
const outputVersion = "v1"

// versionInfo is what this program is.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // "" if not known
	Go       string `json:"go"`
	Platform string `json:"platform"`
	// Output is the version of the JSON that commands write.
	Output string `json:"output"`
}

// currentVersion returns what the linker was told, or else what the Go tool noted.
func currentVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Output: outputVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if v.Commit == "" {
		v.Commit = commitOf(info.Main.Version) // installed as a module: nothing else tells
	}
	if v.Commit != "" && dirty {
		v.Commit += "-dirty"
	}
	return v
}

// pseudoVersion matches the end of a version that stands for a commit
// (go.dev/ref/mod#pseudo-versions): the time and the commit's first digits.
var pseudoVersion = regexp.MustCompile(`[-.][0-9]{14}-([0-9a-f]{12})(\+[a-z]+)?$`)

// commitOf returns the commit that a pseudo-version names, "" for other versions.
func commitOf(version string) string {
	if m := pseudoVersion.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return ""
}

func (v versionInfo) line() string {
	return fmt.Sprintf("mirrorchain %s (%s, %s)\n", v.Version, v.Go, v.Platform)
}

func (a *app) versionCmd() *cobra.Command {
	return only(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "version prints the version of this program, as text or with -o json or yaml.",
		Example: `  mirrorchain version
  mirrorchain version -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := currentVersion()
			return a.print(v, func(w io.Writer) {
				fmt.Fprint(w, v.line())
			})
		},
	}, "output")
}
