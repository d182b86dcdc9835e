// Command dist makes what a release consists of. "make dist" and "make images" run it at the root of
// the checkout.
//
// Without -images it makes the command line: for each platform an archive with a static binary,
// completions and the manual, and a list of what the binary is made of (SBOM); SHA256SUMS over all
// of it, and a manifest for krew.
//
// With -images it makes the container images, as an OCI image layout, with an SBOM for each
// image and platform. It needs no container engine, and no network once Go has its modules.
//
// The same commit, the same Go and the same base give the same bytes. Times in archives and images
// are those of the commit, or $SOURCE_DATE_EPOCH.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const program = "mirrorchain"

type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// env returns the variables that make the Go tool build for the platform, without C.
func (p platform) env() []string {
	return []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=0"}
}

// binary returns the name of the program's file.
func (p platform) binary() string {
	if p.os == "windows" {
		return program + ".exe"
	}
	return program
}

// What is built for, unless -platforms says otherwise.
const (
	allPlatforms   = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64"
	imagePlatforms = "linux/amd64,linux/arm64"
)

func parsePlatforms(list string) ([]platform, error) {
	var all []platform
	for p := range strings.SplitSeq(list, ",") {
		system, arch, ok := strings.Cut(p, "/")
		if !ok || system == "" || arch == "" {
			return nil, fmt.Errorf("platform %q: want OS/ARCH, such as linux/amd64", p)
		}
		all = append(all, platform{system, arch})
	}
	return all, nil
}

func main() {
	var m maker
	flag.StringVar(&m.goTool, "go", "go", "the go `COMMAND`")
	flag.StringVar(&m.out, "out", "dist", "`FOLDER` to write to; it must not exist, or be empty")
	flag.StringVar(&m.version, "version", "dev", "`VERSION` that the binaries state")
	flag.StringVar(&m.url, "url", "", "`URL` of the folder that the archives are published in (default that of the release on GitHub)")
	flag.BoolVar(&m.vet, "vet", false, "vet all packages, their tests too, for each platform")
	platforms := flag.String("platforms", "", "`OS/ARCH,...` to build for (default "+allPlatforms+", with -images "+imagePlatforms+")")
	images := flag.Bool("images", false, "make the container images in place of the archives")
	flag.StringVar(&m.base, "base", "", "with -images, `oci:FOLDER[:NAME]`: an OCI image layout with the image to build on. Without it the image control-plane is left out")
	flag.Parse()
	do, list := m.run, allPlatforms
	if *images {
		do, list = m.images, imagePlatforms
	}
	if m.url == "" {
		m.url = "https://github.com/mirrorchain/mirrorchain/releases/download/" + m.version
	}
	var err error
	if m.platforms, err = parsePlatforms(cmp.Or(*platforms, list)); err == nil {
		ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
		defer cancel()
		err = do(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

type maker struct {
	goTool, out, version, url string
	base                      string // of images
	platforms                 []platform
	vet                       bool
}

// run writes the release to m.out. An error leaves there what was finished, without SHA256SUMS.
func (m *maker) run(ctx context.Context) error {
	if err := m.makeFolder(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mirrorchain-dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	common, err := m.commonFiles(ctx, work)
	if err != nil {
		return err
	}
	var archives []published
	for _, p := range m.platforms {
		a, err := m.platform(ctx, work, p, common)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		archives = append(archives, a)
		fmt.Println(filepath.Join(m.out, a.name))
	}
	if releaseVersion.MatchString(m.version) {
		if err := m.write("krew.yaml", krewManifest(m.version, m.url, archives)); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(os.Stderr, "dist: no krew manifest: %q is no semantic version such as v1.2.3\n", m.version)
	}
	return m.sums()
}

// makeFolder makes the folder to write to. What is there is not mixed with what is made.
func (m *maker) makeFolder() error {
	if entries, err := os.ReadDir(m.out); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: remove it first", m.out)
	}
	return os.MkdirAll(m.out, 0o755)
}

// platform makes the archive and the SBOM of one platform.
func (m *maker) platform(ctx context.Context, work string, p platform, common []file) (published, error) {
	if m.vet {
		if _, err := m.command(ctx, p.env(), m.goTool, "vet", "./..."); err != nil {
			return published{}, err
		}
	}
	built, err := m.compile(ctx, work, p, program)
	if err != nil {
		return published{}, err
	}
	at, err := timeOf(built.info, os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return published{}, err
	}
	name := m.fileName(program, p)
	bill, err := sbom(built, m.version)
	if err != nil {
		return published{}, err
	}
	if err := m.write(name+".cdx.json", bill); err != nil {
		return published{}, err
	}
	archive, ending := tarGz, ".tar.gz"
	if p.os == "windows" {
		archive, ending = zipped, ".zip"
	}
	data, err := archive(append([]file{{p.binary(), 0o755, built.content}}, common...), at)
	if err != nil {
		return published{}, err
	}
	return published{p, name + ending, sha256.Sum256(data)}, m.write(name+ending, data)
}

// fileName returns the name, without its ending, of a file about what is made for a platform.
func (m *maker) fileName(of string, p platform) string {
	return fmt.Sprintf("%s_%s_%s_%s", of, strings.TrimPrefix(m.version, "v"), p.os, p.arch)
}

// binary is a program that was built, and what the Go tool noted in it.
type binary struct {
	name    string
	content []byte
	info    *buildinfo.BuildInfo
}

// compile builds the program of a name for a platform.
func (m *maker) compile(ctx context.Context, work string, p platform, name string) (binary, error) {
	to := filepath.Join(work, p.os+"-"+p.arch, name)
	if err := m.build(ctx, p.env(), name, to); err != nil {
		return binary{}, err
	}
	info, err := buildinfo.ReadFile(to)
	if err != nil {
		return binary{}, err
	}
	content, err := os.ReadFile(to)
	return binary{name, content, info}, err
}

// build builds a program. -trimpath, and no build ID, keep where and when out of it.
func (m *maker) build(ctx context.Context, env []string, name, to string) error {
	_, err := m.command(ctx, env, m.goTool, "build", "-trimpath", "-buildvcs=auto",
		"-ldflags", "-s -w -buildid= -X main.version="+m.version, "-o", to, "./cmd/"+name)
	return err
}

// commonFiles returns what is in every archive beside the binary.
func (m *maker) commonFiles(ctx context.Context, work string) ([]file, error) {
	var all []file
	add := func(name, path string) error {
		data, err := os.ReadFile(path)
		all = append(all, file{name, 0o644, data})
		return err
	}
	for _, name := range []string{"CHANGELOG.md", "LICENSE", "README.md"} {
		if err := add(name, name); err != nil {
			return nil, err
		}
	}
	pages, err := filepath.Glob("docs/man/*.[17]")
	if err != nil || len(pages) == 0 {
		return nil, fmt.Errorf("no pages in docs/man: run dist at the root of the checkout (%v)", err)
	}
	for _, page := range pages {
		if err := add("man/man"+strings.TrimPrefix(filepath.Ext(page), ".")+"/"+filepath.Base(page), page); err != nil {
			return nil, err
		}
	}
	own := filepath.Join(work, "own", program)
	if err := m.build(ctx, nil, program, own); err != nil {
		return nil, err
	}
	for shell, name := range map[string]string{"bash": "mirrorchain.bash", "zsh": "_mirrorchain", "fish": "mirrorchain.fish", "powershell": "mirrorchain.ps1"} {
		script, err := m.command(ctx, nil, own, "completion", shell)
		if err != nil {
			return nil, err
		}
		all = append(all, file{"completions/" + name, 0o644, script})
	}
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// command runs a command with additional variables and returns its stdout.
func (m *maker) command(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return out, nil
}

func (m *maker) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(m.out, name), data, 0o644)
}

// sums writes SHA256SUMS of the files in m.out, which "sha256sum --check" reads.
func (m *maker) sums() error {
	entries, err := os.ReadDir(m.out) // sorted
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(m.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return m.write("SHA256SUMS", []byte(b.String()))
}

// timeOf returns the time of files in archives: epoch in seconds if it is set, or else the time
// of the commit, or else the first that a zip can state.
func timeOf(info *buildinfo.BuildInfo, epoch string) (time.Time, error) {
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: want seconds since 1970", epoch)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			return time.Parse(time.RFC3339, s.Value)
		}
	}
	return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), nil
}
