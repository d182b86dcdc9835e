package payload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Config configures [New]. The first five fields are required.
type Config struct {
	// Releases looks the release up: a chain with Translate.
	Releases provider.ReleaseProvider
	// Images reads component images, by their canonical references; fallback from one
	// mirror to the next is its business.
	Images provider.ImageProvider
	// Rules are the current ones. They are read once for each payload.
	Rules func() *policy.Rules
	// Files keeps what was read from images.
	Files *filecache.Cache
	// WorkDir is where payloads have their directories. Programs are run from there.
	// What a process that was killed left behind is removed by New.
	WorkDir string

	// FeatureGate is the file of the FeatureGate manifest, read for each payload;
	// "" is "/shared/99_feature-gate.yaml".
	FeatureGate string
	// OSRelease is what this process runs on; "" is "/usr/lib/os-release".
	OSRelease string
	// Clients is what the programs' own registry client is given beside the rules and the
	// pull secret.
	Clients Clients
	// Env is added to the environment of programs, "NAME=value". Without it they have PATH,
	// HOME, TMPDIR, and what their registry client needs.
	Env []string

	// Reaper kills what programs leave behind outside of their process group; nil is nobody.
	Reaper *process.Reaper

	// Parallel is how many payloads are made at once; 0 is 4. Others wait.
	Parallel int
	// Step is how long a program that renders may take; 0 is 3 min.
	Step time.Duration
	// Serve is how long machine-config-server may take until it has an answer; 0 is
	// 2 min.
	Serve time.Duration
	// Poll is the pause between asking it; 0 is 200 ms.
	Poll time.Duration

	// ReleaseInfo, if not nil, is told for each payload which component images were
	// asked for and are missing in the release, sorted, none if all are there: the
	// condition IgnitionServerValidReleaseInfo. It is called from the goroutine of each
	// Generate, and waited for.
	ReleaseInfo func(ctx context.Context, version string, missing []string)
	// Log is nil for silence.
	Log *zap.Logger
}

// Pipeline is the [Generator] that runs the release's own programs.
type Pipeline struct {
	cfg   Config
	slots chan struct{}
	ports ports
}

var _ Generator = (*Pipeline)(nil)

// New makes a Pipeline.
func New(cfg Config) (*Pipeline, error) {
	switch {
	case cfg.Releases == nil || cfg.Images == nil || cfg.Rules == nil || cfg.Files == nil || cfg.WorkDir == "":
		return nil, errors.New("payloads: Releases, Images, Rules, Files and WorkDir are required")
	case cfg.Parallel < 0 || cfg.Step < 0 || cfg.Serve < 0 || cfg.Poll < 0:
		return nil, errors.New("payloads: Parallel, Step, Serve and Poll must not be negative")
	}
	cfg.FeatureGate = cmp.Or(cfg.FeatureGate, "/shared/99_feature-gate.yaml")
	cfg.OSRelease = cmp.Or(cfg.OSRelease, "/usr/lib/os-release")
	cfg.Parallel = cmp.Or(cfg.Parallel, 4)
	cfg.Step = cmp.Or(cfg.Step, 3*time.Minute)
	cfg.Serve = cmp.Or(cfg.Serve, 2*time.Minute)
	cfg.Poll = cmp.Or(cfg.Poll, 200*time.Millisecond)
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	var err error
	if cfg.WorkDir, err = filepath.Abs(cfg.WorkDir); err != nil {
		return nil, fmt.Errorf("payloads: %w", err)
	}
	if err := os.MkdirAll(cfg.WorkDir, 0o700); err != nil {
		return nil, fmt.Errorf("payloads: %w", err)
	}
	if err := sweep(cfg.WorkDir); err != nil {
		return nil, fmt.Errorf("payloads: %w", err)
	}
	return &Pipeline{cfg: cfg, slots: make(chan struct{}, cfg.Parallel)}, nil
}

// Generate makes a payload. The error is an [*Error]. When it returns, no program of
// it runs and its directory is gone.
func (p *Pipeline) Generate(ctx context.Context, in Inputs) (_ Result, err error) {
	if err := in.check(); err != nil {
		return Result{}, at("", err)
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return Result{}, at("waiting for other payloads", ctx.Err())
	}
	w, err := p.newWork(in)
	if err != nil {
		return Result{}, at("making a directory", err)
	}
	defer func() {
		if e := w.close(); e != nil {
			p.cfg.Log.Warn("a work directory is left behind", zap.String("for", in.Name), zap.Error(e))
		}
	}()
	start := time.Now()
	r, err := w.generate(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = at("", errors.Join(ctx.Err(), err)) // whatever failed because of it
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.dir = w.path
	}
	if err == nil {
		p.cfg.Log.Info("made a payload", zap.String("for", in.Name), zap.String("version", r.Version),
			zap.Int("bytes", len(r.Ignition)), zap.Duration("took", time.Since(start)))
	}
	return r, err
}

func (w *work) generate(ctx context.Context) (Result, error) {
	r, err := w.lookup(ctx)
	if err != nil {
		return Result{}, err
	}
	w.version = r.version
	if err := errors.Join(w.writeInputs(r), w.writeClientConfig(r.request.Rules)); err != nil {
		return Result{}, at("writing the inputs", err)
	}
	if err := w.readPrograms(ctx, r); err != nil {
		return Result{}, err
	}
	for _, step := range []func(context.Context, *components) error{w.render, w.operator, w.controller} {
		if err := step(ctx, r); err != nil {
			return Result{}, err
		}
	}
	ignition, err := w.server(ctx)
	if err != nil {
		return Result{}, err
	}
	return Result{Ignition: ignition, Version: r.version.text, Missing: r.missingNames()}, nil
}
