package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/outdir"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/sources/convert"
)

// policyConvertOptions are the flags of policy convert.
type policyConvertOptions struct {
	to, dir, name      string
	allowLoss, inPlace bool
	overwrite          bool
}

// converted is the result of policy convert.
type converted struct {
	Files  []convertedFile `json:"files"`
	Losses []convert.Loss  `json:"losses"`
}

type convertedFile struct {
	Name string `json:"name"`
	// Status is what came of the file in a folder, "" where it is printed.
	Status  string `json:"status"`
	Content string `json:"content"` // "" where it is in a folder
}

func (a *app) policyConvertCmd() *cobra.Command {
	var o policyConvertOptions
	var formats []string
	for _, f := range convert.Formats() {
		formats = append(formats, string(f))
	}
	cmd := &cobra.Command{
		Use:   "convert --to FORMAT [SOURCE...]",
		Short: "Write policies in another form",
		Long: `policy convert writes policies in another form, to stdout or into the folder -d. A SOURCE
is the same as -s SOURCE. It touches no network, except to read policies from a cluster.

  idms             ImageDigestMirrorSets, with ImageTagMirrorSets for what mirrors tags and
                   an image configuration for insecure and blocked registries
  itms             ImageTagMirrorSets alone
  icsp             ImageContentSourcePolicies
  registries.conf  containers-registries.conf(5)
  install-config   the imageDigestSources of an install-config
  hostedcluster    the imageContentSources of a HostedCluster, as a patch; --name chooses it
  env              OPENSHIFT_IMG_OVERRIDES
  hosts.toml       the folder certs.d of containerd; needs -d
  k3s              registries.yaml of k3s and RKE2

Objects keep their names, labels and annotations, and the order of their entries. What is
written is read again and compared with the policies that it came from. If the form cannot
express all of them, nothing is written, and every loss is listed; --allow-loss writes the
rest. What the API server would refuse is never written.

--in-place changes the ImageContentSourcePolicies in files and folders into
ImageDigestMirrorSets where they stand, also in lists and in ConfigMaps, and leaves
everything else in the files as it is. Either all files change or none. It replaces oc adm
migrate icsp: here names are kept, the result is checked, and it is the same each time.`,
		Example: `  # a whole folder, as oc adm migrate icsp
  mirrorchain policy convert --to idms --in-place policies/

  # what a node would have
  mirrorchain policy convert --to registries.conf -s cluster:

  # for containerd
  mirrorchain policy convert --to hosts.toml mirrors.yaml -d /etc/containerd/certs.d`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.opts.sources = append(a.opts.sources, args...)
			switch {
			case !slices.Contains(formats, o.to):
				return failure.Usagef("--to %q: want one of %s", o.to, strings.Join(formats, ", "))
			case len(a.opts.sources) == 0:
				return failure.Usagef("'%s' needs a source of policies: a file, a folder, cluster:", cmd.CommandPath())
			case o.inPlace && (o.to != string(convert.IDMS) || o.dir != "" || o.name != ""):
				return failure.Usagef("--in-place is for --to idms alone, without -d and --name")
			case o.to == string(convert.HostsTOML) && o.dir == "" && a.opts.output.IsText():
				return failure.Usagef("--to hosts.toml writes a folder for each registry: give one for all with -d DIR")
			case o.overwrite && o.dir == "":
				return failure.Usagef("--overwrite means nothing without -d")
			case o.inPlace:
				return a.policyMigrate(o)
			}
			return a.policyConvert(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "`FORMAT` to write: "+strings.Join(formats, ", "))
	f.StringVarP(&o.dir, "dir", "d", "", "write files into the folder `DIR`, which is made if it does not exist")
	f.StringVar(&o.name, "name", "", "`NAME` of new objects (default mirrors), or NAMESPACE/NAME of the HostedCluster (default clusters/example)")
	f.BoolVar(&o.allowLoss, "allow-loss", false, "leave out what the form cannot express, and list it on stderr")
	f.BoolVar(&o.inPlace, "in-place", false, "change ImageContentSourcePolicies where they stand")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace existing files in -d")
	complete(cmd, "to", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "name", cobra.NoFileCompletions)
	complete(cmd, "dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) policyConvert(ctx context.Context, o policyConvertOptions) error {
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	result, err := convert.Convert(convert.Config{To: convert.Format(o.to), Name: o.name, AllowLoss: o.allowLoss}, p.loaded...)
	if err != nil {
		return lossy(err)
	}
	a.warn(p.warnings())
	if len(result.Files) == 0 {
		a.notef("there is nothing to write: no policy here has a form in %s", o.to)
	}
	return a.putConverted(o, result)
}

// lossy adds to an error about losses what to do.
func lossy(err error) error {
	if _, ok := errors.AsType[*convert.LossError](err); ok {
		return fmt.Errorf("%w\n--allow-loss writes the rest", err)
	}
	return err
}

// putConverted prints the files, or writes them into a folder.
func (a *app) putConverted(o policyConvertOptions, result convert.Result) error {
	for _, l := range result.Losses {
		a.warnf("lost: %s", l)
	}
	out := converted{Files: []convertedFile{}, Losses: output.List(result.Losses)}
	if o.dir != "" {
		var files []outdir.File
		for _, f := range result.Files {
			files = append(files, outdir.File{Name: f.Name, Data: bytes.TrimPrefix(f.Data, []byte("---\n"))})
		}
		status, err := outdir.Write(o.dir, files, o.overwrite)
		if err != nil {
			return err
		}
		for i, f := range files {
			out.Files = append(out.Files, convertedFile{Name: filepath.Join(o.dir, f.Name), Status: status[i]})
		}
		return a.print(out, out.text)
	}
	for _, f := range result.Files {
		out.Files = append(out.Files, convertedFile{Name: f.Name, Content: string(f.Data)})
	}
	return a.print(out, func(w io.Writer) {
		for _, f := range out.Files {
			io.WriteString(w, f.Content)
		}
	})
}

// text says what came of files.
func (c converted) text(w io.Writer) {
	for _, f := range c.Files {
		fmt.Fprint(w, output.Line("%s  %s", f.Name, f.Status))
	}
}

// policyMigrate changes files where they are.
func (a *app) policyMigrate(o policyConvertOptions) error {
	var files []convert.File
	for _, spec := range a.opts.sources {
		path := strings.TrimPrefix(spec, "file:")
		if spec == "-" || strings.Contains(spec, ":") && path == spec {
			return failure.Usagef("--in-place is for files and folders, not for %s", spec)
		}
		in := filesOf(path)
		if in == nil {
			in = []string{"file:" + path}
		}
		for _, f := range in {
			name := strings.TrimPrefix(f, "file:")
			if strings.HasSuffix(name, ".conf") {
				continue // has no objects
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			files = append(files, convert.File{Name: name, Data: data})
		}
	}
	result, err := convert.Migrate(files, o.allowLoss)
	if err != nil {
		return lossy(err)
	}
	for _, l := range result.Losses {
		a.warnf("lost: %s", l)
	}
	write := make(map[string][]outdir.File)
	var dirs []string
	for _, f := range result.Files {
		dir := filepath.Dir(f.Name)
		if write[dir] == nil {
			dirs = append(dirs, dir)
		}
		write[dir] = append(write[dir], outdir.File{Name: filepath.Base(f.Name), Data: f.Data})
	}
	if len(dirs) > 1 {
		return failure.Usagef("--in-place changes the files of one folder at a time, so that all of them change or none; name one of %s", strings.Join(dirs, ", "))
	}
	out := converted{Files: []convertedFile{}, Losses: output.List(result.Losses)}
	for _, dir := range dirs {
		status, err := outdir.Write(dir, write[dir], true)
		if err != nil {
			return err
		}
		for i, f := range write[dir] {
			out.Files = append(out.Files, convertedFile{Name: filepath.Join(dir, f.Name), Status: status[i]})
		}
	}
	if len(dirs) == 0 {
		a.notef("there is no ImageContentSourcePolicy in these files; nothing has changed")
	}
	return a.print(out, out.text)
}
