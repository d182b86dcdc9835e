package cli

import (
	"context"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// handOver does what an operator does with the policies in FILE: it sets the
// variables for what it starts, and writes the document of its ConfigMap to OUT.
func handOver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: handover FILE OUT")
	}
	src, err := file.Open(ts.MkAbs(args[0]), file.Config{})
	ts.Check(err)
	loaded, err := src.Load(context.Background())
	ts.Check(err)
	rules, err := policy.NewRules(policy.RulesConfig{}, loaded)
	ts.Check(err)
	b, err := handover.NewBundle(rules)
	ts.Check(err)
	vars, err := b.Env()
	ts.Check(err)
	for _, v := range vars {
		ts.Setenv(v.Name, v.Value)
	}
	data, err := b.ConfigMapData()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(data[handover.Key]), 0o600))
}
