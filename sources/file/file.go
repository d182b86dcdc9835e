package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Config tunes file sources. The zero value works.
type Config struct {
	// MaxBytes is the largest file read. Default 64 MiB.
	MaxBytes int64
	// Poll is how often the files' sizes and times are looked at, beside the
	// notifications of the file system. Default 30 s.
	Poll time.Duration
	// Settle is how long a file must be left alone before a change is told, so
	// that a file being written is read when it is done. Default 100 ms; a file
	// that never rests is told of after ten times that.
	Settle time.Duration
	// HostedCluster chooses one of several HostedClusters, "NAMESPACE/NAME", or the name of
	// one of several install-configs. Policies of several clusters are an error without it.
	HostedCluster string
	// Stdin is what "-" reads, once. Nil is [os.Stdin].
	Stdin io.Reader
}

func (c Config) withDefaults() Config {
	if c.MaxBytes <= 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Poll <= 0 {
		c.Poll = sources.DefaultPoll
	}
	if c.Settle <= 0 {
		c.Settle = 100 * time.Millisecond
	}
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	return c
}

// Factory returns the factory for files and directories: "file:policies.yaml", "file:-".
func Factory(cfg Config) sources.Factory {
	return sources.Factory{
		Scheme: "file",
		Help: "file:PATH reads ICSP, IDMS, ITMS, an install-config, a list of imageContentSources, a registries.conf, " +
			"or overrides as an operator hands them on, or a directory of them; file:- reads standard input",
		Open: func(ctx context.Context, path string) (policy.OverrideSource, error) { return open(ctx, path, cfg) },
	}
}

// Open makes a source of the file or directory at path. That there is nothing at
// path now, or nothing that may be read, is an error here; if it happens later
// the source is away. The source is a [policy.Watcher], but for "-" and pipes,
// which are read to their end here, once, however long that takes; opened through
// a [Factory], no longer than its context.
func Open(path string, cfg Config) (policy.OverrideSource, error) {
	return open(context.Background(), path, cfg)
}

func open(ctx context.Context, path string, cfg Config) (policy.OverrideSource, error) {
	cfg = cfg.withDefaults()
	switch path {
	case "":
		return nil, &sources.SpecError{Spec: "file:", Err: errors.New("want the path of a file or a directory, as in file:policies.yaml")}
	case "-":
		return readOnce(ctx, "-", cfg, func() (io.ReadCloser, error) { return io.NopCloser(cfg.Stdin), nil })
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &policy.InvalidPolicyError{Origin: "file:" + path, Err: fmt.Errorf("%w%s", fs.ErrNotExist, hint(path))}
	case err != nil:
		return nil, &policy.InvalidPolicyError{Origin: "file:" + path, Err: reason(err)}
	case info.IsDir(), info.Mode().IsRegular():
		f, err := os.Open(path) // says at once that it may not be read
		if err != nil {
			return nil, &policy.InvalidPolicyError{Origin: "file:" + path, Err: reason(err)}
		}
		f.Close()
		return &source{path: filepath.Clean(path), cfg: cfg}, nil
	}
	// A pipe, as in <(oc get idms -o yaml).
	return readOnce(ctx, path, cfg, func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, &policy.InvalidPolicyError{Origin: "file:" + path, Err: reason(err)}
		}
		return f, nil
	})
}

// hint returns what to do about a path that is not there.
func hint(path string) string {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Sprintf(": there is no directory %s either; check the path", dir)
	}
	if strings.Contains(path, ":") {
		return "; a source is SCHEME:ARGUMENT, such as file:policies.yaml or env:NAME"
	}
	return "; check the path"
}

// reason returns the part of err that does not repeat the path.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// source reads one path whenever it is asked.
type source struct {
	path string
	cfg  Config
}

// Name returns "file:" and the path as it was given.
func (s *source) Name() string { return "file:" + s.path }

// Load reads everything anew. A path that cannot be read is away; what cannot be
// understood is a [*policy.InvalidPolicyError].
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	l, err := look(s.path)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("reading %s: %w", s.Name(), reason(err))
	}
	p, handed, err := s.load(ctx, l)
	if err != nil {
		return policy.Policy{}, err
	}
	if !handed {
		warnNoRules(&p, s.Name(), l)
	}
	return p, nil
}

// warnNoRules says so if nothing came of a source, and why that may be, unless
// one of its documents has said so already.
func warnNoRules(p *policy.Policy, name string, l layout) {
	said := slices.ContainsFunc(p.Warnings, func(w policy.Warning) bool { return w.Code == policy.WarnNoRules })
	if said || len(p.Rules)+len(p.Insecure)+len(p.Blocked) > 0 {
		return
	}
	why := "there is no mirror policy in it"
	switch {
	case len(p.Skipped) > 0:
		o := p.Skipped[0]
		why = fmt.Sprintf("all %d objects in it are of kinds that are no mirror policies (the first is of kind %q at %s)", len(p.Skipped), o.Kind, o.Origin)
		if len(p.Skipped) == 1 {
			why = fmt.Sprintf("the object in it is no mirror policy (kind %q at %s)", o.Kind, o.Origin)
		}
	case l.dir && l.empty():
		why = "the directory has no *.yaml, *.yml, *.json or *.conf file" + l.hint
	}
	p.Warnings = append(p.Warnings, policy.Warning{
		Code:    policy.WarnNoRules,
		Origins: []string{name},
		Message: fmt.Sprintf("no rules come from %s: %s", name, why),
	})
}
