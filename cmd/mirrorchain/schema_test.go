package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/diffreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/explainreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/lintreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/policydiff"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/releaseinfo"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/internal/test/golden"
	"github.com/mirrorchain/mirrorchain/internal/test/jsonschema"
)

var update = flag.Bool("update", false, "write the schemas and the manual anew")

// results are those of the commands, by the name of their schema: the words of the command,
// and what else decides.
var results = map[string]any{
	"resolve":                 resolution{},
	"explain":                 explainreport.Report{},
	"release-info":            releaseinfo.Info{},
	"release-info-image-for":  releaseinfo.Chosen{},
	"release-info-boot-image": releaseinfo.BootImageDetail{},
	"check":                   checkreport.Report{},
	"release-check":           checkreport.Report{},
	"policy-convert":          converted{},
	"policy-diff":             policydiff.Report{},
	"policy-lint":             lintreport.Report{},
	"policy-render":           rendered{},
	"release-verify":          verifyreport.Report{},
	"release-diff":            diffreport.Report{},
	"release-extract":         imageFiles{},
	"image-digest":            imageDigest{},
	"image-files":             imageFiles{},
	"image-tags":              imageTags{},
	"status":                  statuspage.Status{},
	"config":                  configuration{},
	"version":                 versionInfo{},
	"failure":                 failure.Document{},
}

// The schemas are those of the types. A field that is taken away or changed is a change
// of the promise in 'mirrorchain help output'.
func TestSchemas(t *testing.T) {
	folder := filepath.Join("..", "..", "docs", "schema", outputVersion)
	for name, result := range results {
		m := jsonschema.Maker{Module: "github.com/mirrorchain/mirrorchain", Root: filepath.Join("..", "..")}
		s, err := m.Of(result)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.ID = "https://github.com/mirrorchain/mirrorchain/blob/main/docs/schema/" + outputVersion + "/" + name + ".json"
		s.Title = "mirrorchain " + strings.ReplaceAll(name, "-", " ") + " -o json"
		if name == "failure" {
			s.Title = "what a command that failed writes with -o json, in place of its result"
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join(folder, name+".json"), string(text)+"\n", *update)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".json"); results[name] == nil {
			t.Errorf("%s is the schema of nothing", f.Name())
		}
	}
}
