package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

// releaseInfo is release info's JSON.
type releaseInfo struct {
	Image             string            `json:"image"`
	Digest            string            `json:"digest"`
	PulledFrom        string            `json:"pulledFrom"`
	Version           string            `json:"version"`
	Stale             bool              `json:"stale"`              // of an earlier run, because no endpoint answers
	Platform          string            `json:"platform,omitempty"` // only where it was chosen from an index
	Created           *time.Time        `json:"created"`            // null where image-references does not say
	Metadata          metadata          `json:"metadata"`
	Attempts          []attempt         `json:"attempts"`
	ComponentVersions map[string]string `json:"componentVersions"`
	Components        []component       `json:"components"`
}

type attempt struct {
	Image      string `json:"image"`
	Error      string `json:"error"` // "" for the one that answered
	DurationMS int64  `json:"durationMs"`
	Class      string `json:"class"`  // what kind of failure, "" for the one that answered
	Status     int    `json:"status"` // the HTTP status of a failure, 0 where there was none
}

type metadata struct {
	Previous []string `json:"previous"`
	Next     []string `json:"next"`
	URL      string   `json:"url"`
}

type component struct {
	Name      string `json:"name"`
	Image     string `json:"image"`
	Canonical string `json:"canonical"`
}

func (a *app) releaseCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Look release images up",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(a.releaseInfoCmd(), a.releaseCheckCmd())
	return showing(cmd)
}

func (a *app) releaseInfoCmd() *cobra.Command {
	var arch, imageFor, cacheDir string
	cmd := &cobra.Command{
		Use:   "info REF",
		Short: "Print what is in a release, and who served it",
		Long: `release info finds a release image through its mirrors, reads it, and prints what
is in it, which endpoint served it, and which ones failed before.

Every byte is verified by digest before it is used. Where the image is an index,
the entry for --arch is read, by default linux on this program's own architecture.

With -o json nothing but the result is printed on stdout; if no endpoint answers,
stdout stays empty, stderr lists every attempt, and the exit code says what kind
of failure it was. For every endpoint's status as data, see explain --probe.

With --cache-dir the next run reads no layer that this one read, and asks for ten
minutes nobody about a digest, then with one small request. While no endpoint
answers it prints what the last run was told, with the same policies and the same
credentials, and says so. What is kept is verified by its digest whenever it is
used; it is bounded to 2 GiB, and any number of commands may share it. There is none
by default, for who asks where a release comes from mostly means now.`,
		Example: `  mirrorchain release info -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # the pull spec of one component
  mirrorchain release info -s idms.yaml --image-for machine-os-content REF

  # which mirror served it
  mirrorchain release info -s idms.yaml -o json REF | jq -r .pulledFrom`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if cmd.Flags().Changed("image-for") {
				if name = imageFor; name == "" {
					return usagef("--image-for is empty; want the name of a component")
				}
			}
			disk, err := a.disk(cacheDir, cmd.Flags().Changed("cache-dir"))
			if err != nil {
				return err
			}
			defer disk.Close()
			return a.releaseInfo(cmd.Context(), args[0], arch, name, disk)
		},
	}
	archFlag(cmd, &arch)
	cmd.Flags().StringVar(&imageFor, "image-for", "", "print only the pull spec of the component with this `NAME`")
	complete(cmd, "image-for", cobra.NoFileCompletions)
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", "keep what was read in `DIR`, in place of $"+cacheDirVariable+"; by default nothing is kept")
	complete(cmd, "cache-dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) releaseInfo(ctx context.Context, arg, arch, imageFor string, disk *diskcache.Cache) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	platform, err := parseArch(arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	rel, err := a.lookup(ctx, ref, platform, disk)
	if err != nil {
		return err
	}
	if rel.Stale() {
		a.warnf("no endpoint answers now; this is what an earlier run was told, with the same policies and credentials")
	}
	if arch != "" && rel.Platform().IsZero() {
		a.notef("--arch %s chose nothing: %s is a plain image, not an index of several", arch, ref.Text)
	}
	if imageFor != "" {
		return a.printImageFor(rel, imageFor)
	}
	return a.print(infoOf(ref, rel), func(w io.Writer) { releaseText(w, ref, rel) })
}

func infoOf(ref refArg, rel *provider.Release) releaseInfo {
	r := releaseInfo{
		Image: ref.Text, Digest: rel.Digest(), PulledFrom: rel.PulledFrom().String(),
		Version: rel.Version(), Stale: rel.Stale(), Platform: rel.Platform().String(),
		Attempts: []attempt{}, ComponentVersions: rel.ComponentVersions(), Components: []component{},
	}
	m := rel.Metadata()
	r.Metadata = metadata{list(m.Previous), list(m.Next), m.URL}
	if t := rel.Created(); !t.IsZero() {
		t = t.UTC()
		r.Created = &t
	}
	for at := range rel.Attempts() {
		r.Attempts = append(r.Attempts, attemptOf(at))
	}
	for c := range rel.Components() {
		r.Components = append(r.Components, component{c.Name, c.Image.String(), c.Canonical.String()})
	}
	return r
}

func attemptOf(at provider.Attempt) attempt {
	e := attempt{Image: at.Ref.String(), DurationMS: at.Took.Milliseconds()}
	if at.Err != nil {
		e.Error, e.Class, e.Status = at.Err.Error(), provider.ClassOf(at.Err).String(), statusOf(at.Err)
	}
	return e
}

// printImageFor prints one component. Where mirrors failed before one answered,
// stderr says so: the output has no room for it.
func (a *app) printImageFor(rel *provider.Release, name string) error {
	c, ok := rel.Component(name)
	if !ok {
		var names []string
		for c := range rel.Components() {
			names = append(names, c.Name)
		}
		msg := fmt.Sprintf("release %s has no component %q", rel.Version(), name)
		if near := closest(name, names); len(near) > 0 {
			msg += "; did you mean " + strings.Join(near, ", ") + "?"
		}
		return &provider.Error{Class: provider.ClassNotFound, Err: fmt.Errorf("%s", msg)}
	}
	for at := range rel.Attempts() {
		if at.Err != nil {
			a.warnf("%s failed: %s", at.Ref, sayAttempt(at.Ref, at.Err))
		}
	}
	return a.print(component{c.Name, c.Image.String(), c.Canonical.String()}, func(w io.Writer) {
		fmt.Fprintln(w, c.Image)
	})
}
