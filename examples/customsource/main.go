// Command customsource plugs a source of its own in beside the ones that come
// with mirrorchain: a plain text file with a source and a mirror on each line.
//
//	customsource lines:mirrors.txt env:OPENSHIFT_IMG_OVERRIDES -- quay.io/org/app@sha256:...
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
)

// lines is an OverrideSource: each line of its file is "SOURCE MIRROR [MIRROR...]".
type lines struct{ path string }

func (l lines) Name() string { return "lines:" + l.path }

// Load returns everything the file says, each time. What waiting cannot mend is
// an InvalidPolicyError that points at the line; a file that cannot be read may
// come back.
func (l lines) Load(ctx context.Context) (policy.Policy, error) {
	var p policy.Policy
	data, err := os.ReadFile(l.path)
	if err != nil {
		return p, err
	}
	for sc, n := bufio.NewScanner(bytes.NewReader(data)), 1; sc.Scan(); n++ {
		f := strings.Fields(sc.Text())
		origin := fmt.Sprintf("%s:%d", l.path, n)
		switch {
		case len(f) == 0:
			continue
		case len(f) == 1:
			return policy.Policy{}, &policy.InvalidPolicyError{Origin: origin, Err: errors.New("no mirror; want SOURCE MIRROR [MIRROR...]")}
		}
		rule := policy.Rule{Source: f[0], Pull: policy.PullAny, Origin: origin}
		for _, m := range f[1:] {
			rule.Mirrors = append(rule.Mirrors, policy.Mirror{Location: m})
		}
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

// factory makes "lines:PATH" a source that a user can name.
var factory = sources.Factory{
	Scheme: "lines",
	Help:   "a text file with SOURCE MIRROR [MIRROR...] on each line",
	Open: func(_ context.Context, path string) (policy.OverrideSource, error) {
		return lines{path}, nil
	},
}

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	registry, err := sources.NewSchemes(factory, env.Factory(os.LookupEnv))
	if err != nil {
		return err
	}
	var srcs []policy.OverrideSource
	for len(args) > 0 && args[0] != "--" {
		src, err := registry.Open(ctx, args[0])
		if err != nil {
			return err
		}
		srcs, args = append(srcs, src), args[1:]
	}
	resolver, err := sources.NewResolver(ctx, sources.ResolverConfig{}, srcs...)
	if err != nil {
		return err
	}
	rules := resolver.Current()
	if rules == nil {
		return provider.ErrNoRules
	}
	for _, arg := range args[min(1, len(args)):] {
		ref, err := imageref.Parse(arg)
		if err != nil {
			return err
		}
		candidates, err := rules.Candidates(ref)
		if err != nil {
			return err
		}
		for _, c := range candidates {
			fmt.Fprintln(out, c.Ref)
		}
	}
	return nil
}
