package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// runner runs jobs one after another, so that none disturbs another.
type runner struct {
	root     string    // of the project
	goTool   string    // the go command
	progress io.Writer // what goes on
}

// run adds the results of all jobs to rs. A job that fails costs its own figures alone;
// the error of the first is returned.
func (r runner) run(ctx context.Context, rs results, all []job) error {
	var first error
	for i, j := range all {
		start := time.Now()
		fmt.Fprintf(r.progress, "%2d/%d  %-22s %-26s ", i+1, len(all), j.pkg, j.run)
		err := r.one(ctx, rs, j)
		fmt.Fprintf(r.progress, "%5.1f s", time.Since(start).Seconds())
		if err != nil {
			fmt.Fprintf(r.progress, "  %v", err)
			rs.failed[j.pkg+"."+j.run] = err.Error()
			if first == nil {
				first = fmt.Errorf("%s.%s: %w", j.pkg, j.run, err)
			}
		}
		fmt.Fprintln(r.progress)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

func (r runner) one(ctx context.Context, rs results, j job) error {
	if j.servers {
		if dir := os.Getenv("MIRRORCHAIN_TEST_SERVERS"); dir == "" {
			rs.failed[j.pkg+"."+j.run] = "it needs the servers of make servers"
			fmt.Fprint(r.progress, "no servers  ")
			return nil
		}
	}
	dir, args, env := j.arguments()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(j.limit, usualLimit)+time.Minute) // go test ends by itself before
	defer cancel()
	cmd := exec.CommandContext(ctx, r.goTool, args...)
	cmd.Dir, cmd.Env = filepath.Join(r.root, dir), append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runErr := cmd.Run()
	if j.logged != nil {
		rs.figuresOf(j, out.String())
	} else if err := rs.parseBenchmarks(strings.NewReader(out.String()), j.pkg, j.procs); err != nil {
		return err
	}
	if runErr != nil {
		return fmt.Errorf("%w: %s", runErr, lastLine(errs.String()+out.String()))
	}
	return nil
}

// lastLine returns the last one that is not empty.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
