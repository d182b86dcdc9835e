package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// refArg is an image reference as the user wrote it, and its meaning.
type refArg struct {
	Text string
	imageref.Ref
}

// parseRef parses a reference. Its errors are usage errors and say what to do about the
// usual mistakes.
func parseRef(s string) (refArg, error) {
	ref, err := imageref.Parse(s)
	if err == nil {
		return refArg{s, ref}, nil
	}
	switch {
	case s == "":
		err = errors.New("empty image reference; want REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG")
	case strings.Contains(s, "://"):
		err = errors.New(err.Error() + "; leave out the scheme, \"" + s[:strings.Index(s, "://")+3] + "\"")
	case isFile(s):
		err = errors.New(err.Error() + "; that is a file: policies are given with -s " + quoted(s))
	}
	return refArg{Text: s}, &failure.Usage{Err: err}
}

// imageOf does what parseRef does, for [app.asking].
func imageOf(s string) naming {
	return func(context.Context, provider.Platform) (refArg, error) { return parseRef(s) }
}

func oneRef(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return failure.Usagef("'%s' needs an image reference", cmd.CommandPath())
	case 1:
		return nil
	}
	return failure.Usagef("'%s' takes one image reference, got %d arguments; quote an argument that has spaces", cmd.CommandPath(), len(args))
}

func someRefs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return failure.Usagef("'%s' needs at least one image reference", cmd.CommandPath())
	}
	return nil
}

func archFlag(cmd *cobra.Command, arch *string) {
	cmd.Flags().StringVar(arch, "arch", "", "`PLATFORM` to choose from an index: ARCH or OS/ARCH[/VARIANT] (default linux on this program's own)")
	cmd.Flags().StringVar(arch, "platform", "", "the same as --arch `PLATFORM`")
	for _, name := range []string{"arch", "platform"} {
		complete(cmd, name, cobra.FixedCompletions([]string{"amd64", "arm64", "ppc64le", "s390x"}, cobra.ShellCompDirectiveNoFileComp))
	}
}

func parseArch(arch string) (provider.Platform, error) {
	if arch == "" {
		return provider.Platform{}, nil
	}
	p, err := provider.ParsePlatform(arch)
	if err != nil {
		return p, failure.Usagef("--arch: %w", err)
	}
	if slices.Contains(systems, p.OS) {
		if goArch, ok := otherNames[p.Architecture]; ok {
			return p, failure.Usagef("--arch %q: did you mean %s?", arch, provider.Platform{OS: p.OS, Architecture: goArch, Variant: p.Variant})
		}
		return p, nil
	}
	if p.Variant == "" { // ARCH/VARIANT was meant, perhaps
		if goArch, ok := otherNames[p.OS]; ok {
			p.OS = goArch
		}
		if slices.Contains(architectures, p.OS) {
			return p, failure.Usagef("--arch %q: %q is no operating system; did you mean linux/%s/%s?", arch, strings.Split(arch, "/")[0], p.OS, p.Architecture)
		}
	}
	return p, failure.Usagef("--arch %q: %q is no operating system; want one of %s", arch, p.OS, strings.Join(systems, ", "))
}

// What an index may name, in Go's words, and other names of architectures.
var (
	systems       = []string{"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "aix"}
	architectures = []string{"amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64", "loong64", "mips64le"}
	otherNames    = map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386", "powerpc64le": "ppc64le"}
)

var versionLike = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+.:_].*)?$`)

// hintName says what was probably meant by an argument that is read as the name of a
// Docker Hub image, and that a host in upper case, or written in another way than the
// policies write it, is another name. x explains ref.
func (a *app) hintName(ref refArg, x policy.Explanation) {
	s := ref.Text
	other := x.Spelling
	if host := ref.Registry(); other == "" && strings.ToLower(host) != host {
		other = strings.ToLower(host)
	}
	if other != "" {
		a.hint(fmt.Sprintf("policies for %s do not apply to %s: nodes compare names byte for byte", other, s))
	}
	if strings.Contains(s, "/") {
		return
	}
	means := fmt.Sprintf("%s is read as the image %s", s, ref.Normalize())
	switch {
	case versionLike.MatchString(s):
		a.hint(means + "; a release is named by its pull spec, such as quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64")
	case strings.HasPrefix(s, "sha256:"):
		a.hint(means + "; a digest belongs to a repository: REGISTRY/REPOSITORY@sha256:...")
	case slices.Contains([]string{"text", "json", "yaml"}, s):
		a.hint(means + "; the output's format is given with -o " + s)
	case slices.Contains(architectures, s) || otherNames[s] != "":
		a.hint(means + "; a platform is given with --arch")
	case isFile(s):
		a.hint(means + "; policies are given with -s " + quoted(s))
	}
}

func isFile(s string) bool {
	_, err := os.Stat(s)
	return err == nil
}
