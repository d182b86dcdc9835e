// Command bench runs the benchmarks of the project, those against its peers too, prints
// our figures beside theirs and beside the targets, and writes docs/benchmarks.md. It
// is what "make bench" calls; it is no part of what users install.
//
//	go run ./test/bench [-quick] [-only REGEXP] [-large-fleets] [-o FILE] [-root DIR] [-go COMMAND]
//
// It ends with code 1 if a benchmark failed to run. A target that is missed is in the
// document, and is no failure: times depend on the machine.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var r runner
	quick := flag.Bool("quick", false, "run each benchmark just long enough to see that it works, and write no file unless -o says so")
	out := flag.String("o", "", "`file` to write; docs/benchmarks.md in -root if empty")
	only := flag.String("only", "", "run only benchmarks that match this `regexp`, and keep the other rows of docs/benchmarks.md")
	large := flag.Bool("large-fleets", false, "measure fleets of 1,600 and 5,000 HostedClusters, too: some 20 minutes")
	flag.StringVar(&r.root, "root", ".", "`folder` of the project")
	flag.StringVar(&r.goTool, "go", "go", "the go `command`")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: no arguments are taken, only flags", flag.Arg(0))
	}
	r.progress = os.Stderr

	start := time.Now()
	m := r.machine(ctx, *quick)
	all := jobs()
	kept, err := r.narrow(ctx, *only, &all, &m)
	if err != nil {
		return err
	}
	for i := range all {
		if *large && all[i].run == "BenchmarkFleet" {
			all[i].args, all[i].limit = []string{"-large-fleets"}, time.Hour
		}
	}
	if *quick {
		for i := range all {
			all[i] = all[i].quick()
		}
	}
	rs := newResults()
	rs.busy = busy()
	failed := r.run(ctx, rs, all)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	missed := print(os.Stdout, rs)
	fmt.Fprintf(os.Stderr, "%d figures miss their target or are not there; %s in all\n", missed, time.Since(start).Round(time.Second))
	if *out == "" && !*quick {
		*out = filepath.Join(r.root, "docs", "benchmarks.md")
	}
	if *out != "" {
		var b bytes.Buffer
		if err := write(&b, m, rs, kept); err != nil {
			return err
		}
		if err := replace(*out, b.Bytes()); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "written:", *out)
	}
	return failed
}

// replace puts data in the place of a file, all of it or nothing.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".bench-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // unless it has its name by then
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
