package lintreport

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy/lint"
)

// SARIF is the format of SARIF 2.1.0 (OASIS), which code hosts show at the lines of a change.
const SARIF output.Format = "sarif"

const (
	sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"
	helpURI     = "https://github.com/mirrorchain/mirrorchain/blob/main/docs/policy-tools.md#"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string      `json:"id"`
	ShortDescription sarifText   `json:"shortDescription"`
	Help             sarifText   `json:"help"`
	HelpURI          string      `json:"helpUri"`
	Configuration    sarifConfig `json:"defaultConfiguration"`
}

type sarifConfig struct {
	Level string `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

// level returns SARIF's word for a severity.
func level(s lint.Severity) string {
	if s == lint.Info {
		return "note"
	}
	return s.String()
}

// Format returns the report as SARIF.
func (r *Report) Format(output.Format) ([]byte, error) {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "mirrorchain policy lint", InformationURI: strings.TrimSuffix(helpURI, "#")}}, Results: []sarifResult{}}
	index := make(map[string]int)
	for i, k := range lint.Catalogue() {
		index[k.Code] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: k.Code, ShortDescription: sarifText{k.Effect}, Help: sarifText{k.Fix}, HelpURI: helpURI + k.Code, Configuration: sarifConfig{level(k.Severity)},
		})
	}
	for _, f := range r.Findings {
		result := sarifResult{
			RuleID: f.Code, RuleIndex: index[f.Code], Level: level(f.Severity), Message: sarifText{f.Message + ". " + f.Effect + " " + f.Fix}, Locations: []sarifLocation{},
		}
		for _, p := range f.Places {
			l := sarifLocation{sarifPhysical{Artifact: sarifArtifact{filepath.ToSlash(p.File)}}}
			if p.Line > 0 {
				l.Physical.Region = &sarifRegion{p.Line}
			}
			result.Locations = append(result.Locations, l)
		}
		run.Results = append(run.Results, result)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
	return b.Bytes(), err
}
