// Package lintreport writes what policy lint found, for people, CI systems and programs
// that annotate pull requests.
package lintreport

import (
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/junit"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/policy/lint"
)

// Report is the result of policy lint.
type Report struct {
	Summary  Summary        `json:"summary"`
	Findings []lint.Finding `json:"findings"`
}

// Summary counts findings by severity.
type Summary struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
}

// New makes a report of findings, which it sorts.
func New(findings []lint.Finding) *Report {
	r := &Report{Findings: output.List(findings)}
	lint.Sort(r.Findings)
	for _, f := range r.Findings {
		switch f.Severity {
		case lint.Error:
			r.Summary.Errors++
		case lint.Warning:
			r.Summary.Warnings++
		default:
			r.Summary.Infos++
		}
	}
	return r
}

func (s Summary) String() string {
	return fmt.Sprintf("%s, %s, %d to know", words.Plural(s.Errors, "error"), words.Plural(s.Warnings, "warning"), s.Infos)
}

// Text writes each finding: what and where, then once for all of a kind what happens and
// what to do.
func (r *Report) Text(w io.Writer, l table.Look) {
	for i, f := range r.Findings {
		head := table.Cell{Text: f.Severity.String() + " " + f.Code}
		if l.Terminal {
			head.State = map[lint.Severity]table.State{lint.Error: table.Bad, lint.Warning: table.NotAsked}[f.Severity]
		}
		l.Line(w, head, table.Plain(": "+f.Message))
		indented := func(format string, args ...any) { fmt.Fprint(w, "  "+output.Line(format, args...)) }
		for _, o := range f.Origins {
			if !strings.Contains(f.Message, o) {
				indented("at    %s", o)
			}
		}
		if i+1 < len(r.Findings) && r.Findings[i+1].Code == f.Code && r.Findings[i+1].Effect == f.Effect {
			continue
		}
		if f.Effect != "" {
			indented("then  %s", f.Effect)
		}
		if f.Fix != "" {
			indented("mend  %s", f.Fix)
		}
	}
	fmt.Fprint(w, output.Line("%s", r.Summary))
}

// JUnit returns a failure for each error and warning. What is only to know has passed.
func (r *Report) JUnit() ([]byte, error) {
	var cases []junit.Case
	for _, f := range r.Findings {
		c := junit.Case{Class: "policy lint " + f.Code, Name: strings.Join(append(f.Origins, f.Message), " ")}
		if f.Severity > lint.Info {
			c.Failure = &junit.Reason{Message: f.Message, Type: f.Severity.String(), Text: strings.Join([]string{f.Message, f.Effect, f.Fix, strings.Join(f.Origins, "\n")}, "\n")}
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		cases = []junit.Case{{Class: "policy lint", Name: "no findings"}}
	}
	return junit.Encode("policy lint", cases)
}
