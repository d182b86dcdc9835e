package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/internal/test/jsonschema"
)

// checkSchema checks what a command wrote with -o json against its schema. Whatever a
// script runs is checked.
func checkSchema(args []string, code int, stdout string) error {
	if stdout == "" || !strings.Contains(strings.Join(args, " ")+" ", "-o json ") || code == 2 && !json.Valid([]byte(stdout)) {
		return nil
	}
	name := schemaOf(args)
	if strings.Contains(stdout, "\n  \"exitCode\": ") {
		name = "failure"
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "v1", name+".json"))
	if err != nil {
		return fmt.Errorf("%w: add the type of the result to results in cmd/mirrorchain/schema_test.go, and make its schema with -update", err)
	}
	s, err := jsonschema.Parse(text)
	if err != nil {
		return err
	}
	return s.Check([]byte(stdout))
}

// groups are commands that only hold others.
var groups = []string{"release", "image", "policy"}

// schemaOf returns the name of the schema of a command line.
func schemaOf(args []string) string {
	known := []string{"resolve", "explain", "status", "config", "version", "check", "release", "image", "policy"}
	i := slices.IndexFunc(args, func(a string) bool { return slices.Contains(known, a) })
	name := args[i]
	if slices.Contains(groups, name) {
		name += "-" + args[i+1]
	}
	for _, flag := range []string{"image-for", "boot-image"} {
		if name == "release-info" && slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--"+flag) }) {
			name += "-" + flag
		}
	}
	return name
}
