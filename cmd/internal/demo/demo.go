// Package demo shows the commands at work where there is no cluster, no mirror
// and no network: on registries of its own, on the loopback interface.
//
// It runs the real commands. Only the sentences between them are fixed. It is not a
// test, but it fails when a command does not end as announced.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// Config is what the demo needs from the program.
type Config struct {
	// Run runs one command line, without the program's name, with the given
	// environment and none of the process's, and returns its exit code.
	Run func(ctx context.Context, env map[string]string, args []string, stdout, stderr io.Writer) int
	// Out is where everything goes: what is run and what it prints.
	Out io.Writer
}

// These stand for the temporary directory and the release's digest in the output. So it
// is the same each time, except for ports and durations, and easy to read.
const (
	dirName    = "$DEMO"
	digestName = "$DIGEST"
)

// step is one command, and what to see in it.
type step struct {
	why    []string
	before func(*world)
	args   []string // "$RELEASE" and "$DEMO" are filled in
	want   int      // exit code
	lines  int      // of the output to show at most; 0 is all
}

func steps() []step {
	return []step{
		{
			why: []string{
				"1. Where would the release be pulled from? The policy is an ImageDigestMirrorSet",
				"   with two mirrors. No network is touched.",
			},
			args: []string{"resolve", "-s", dirName + "/idms.yaml", "$RELEASE"},
		},
		{
			why: []string{
				"2. Why there, and who answers? The first mirror is out of order and the source",
				"   is switched off; the second mirror works.",
			},
			args: []string{"explain", "--probe", "-s", dirName + "/idms.yaml", "-a", dirName + "/pull-secret.json", "--cert-dir", dirName + "/certs.d", "$RELEASE"},
		},
		{
			why: []string{
				"3. What is in the release, and who served it? The first mirror fails, the next",
				"   one is asked. Every byte is verified by digest.",
			},
			args:  []string{"release", "info", "-s", dirName + "/idms.yaml", "-a", dirName + "/pull-secret.json", "--cert-dir", dirName + "/certs.d", "$RELEASE"},
			lines: 26,
		},
		{
			why: []string{
				"4. Could a cluster be installed from these mirrors? Two images of the release were",
				"   not mirrored: exit code 3.",
			},
			args: []string{"release", "check", "-s", dirName + "/idms.yaml", "-a", dirName + "/pull-secret.json", "--cert-dir", dirName + "/certs.d", "$RELEASE"},
			want: 3,
		},
		{
			why:  []string{"5. One pull spec for a script: stdout is data, stderr is for people."},
			args: []string{"release", "info", "-s", dirName + "/idms.yaml", "-a", dirName + "/pull-secret.json", "--cert-dir", dirName + "/certs.d", "--image-for", "machine-config-operator", "$RELEASE"},
		},
		{
			why: []string{
				"6. Now the second mirror serves the release with one bit changed. It is not",
				"   believed, nobody else has the release, and the exit code says why: 7.",
			},
			before: func(w *world) { w.tamper() },
			args:   []string{"release", "info", "-s", dirName + "/idms.yaml", "-a", dirName + "/pull-secret.json", "--cert-dir", dirName + "/certs.d", "$RELEASE"},
			want:   7,
		},
	}
}

// Run shows the commands. However it ends, also by the end of ctx, its registries and
// files are gone afterwards.
func Run(ctx context.Context, cfg Config) (err error) {
	dir, err := os.MkdirTemp("", "mirrorchain-demo-")
	if err != nil {
		return fmt.Errorf("a directory for the demo: %w", err)
	}
	defer func() {
		if rmErr := os.RemoveAll(dir); rmErr != nil && err == nil {
			err = fmt.Errorf("cleaning up: %w", rmErr)
		}
	}()
	w, err := newWorld(dir)
	if err != nil {
		return err
	}
	defer w.close()

	p := &printer{w: cfg.Out, hide: strings.NewReplacer(dir, dirName, w.digest, digestName)}
	w.introduce(p)
	for _, s := range steps() {
		if s.before != nil {
			s.before(w)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.err != nil { // nobody watches any more
			return p.err
		}
		if err := show(ctx, cfg, w, p, s); err != nil {
			return err
		}
	}
	p.say("")
	p.say("The registries and files of this demo are gone now. Next: mirrorchain --help")
	return p.err
}

func show(ctx context.Context, cfg Config, w *world, p *printer, s step) error {
	p.say("")
	for _, line := range s.why {
		p.say("%s", line)
	}
	p.say("")
	p.say("$ mirrorchain %s", strings.Join(s.args, " "))
	args := make([]string, len(s.args))
	for i, a := range s.args {
		args[i] = strings.NewReplacer("$RELEASE", w.release, dirName, w.dir).Replace(a)
	}
	var out bytes.Buffer // stderr and stdout, as a terminal would show them
	code := cfg.Run(ctx, map[string]string{"HOME": w.dir}, args, &out, &out)
	if err := ctx.Err(); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	more := 0
	if s.lines > 0 && len(lines) > s.lines {
		lines, more = lines[:s.lines], len(lines)-s.lines
	}
	for _, line := range lines {
		p.say("%s", line)
	}
	if more > 0 {
		p.say("  ... and %d more lines", more)
	}
	if code != 0 {
		p.say("(exit code %d)", code)
	}
	if code != s.want {
		return fmt.Errorf("the demo's command ended with exit code %d, not %d: mirrorchain %s", code, s.want, strings.Join(s.args, " "))
	}
	return nil
}

// printer keeps the first error of writing, so that not each line is checked.
type printer struct {
	w    io.Writer
	hide *strings.Replacer
	err  error
}

func (p *printer) say(format string, args ...any) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, p.hide.Replace(fmt.Sprintf(format, args...))+"\n")
	}
}
