package verifyreport

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/junit"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

var headlines = map[string]string{
	Good: "signed", Bad: "refused", Missing: "no signature found", Failed: "not known",
}

// Text writes the report for a person: one line for each check.
func (r *Report) Text(w io.Writer) {
	fmt.Fprint(w, output.Line("%s: %s (--require %s)", r.Image, headlines[r.Status], r.Require))
	rows := [][]string{{"Digest", r.Digest}}
	if r.Instance != "" && r.Instance != r.Digest {
		rows = append(rows, []string{"Instance", r.Instance})
	}
	for _, k := range r.Keyrings {
		for _, key := range k.Keys {
			rows = append(rows, []string{"Trusted", fmt.Sprintf("%s %q, keyring %s", key.Fingerprint, key.Name, k.Name)})
		}
	}
	output.Table(w, "  ", rows)
	fmt.Fprintln(w)
	rows = nil
	for _, c := range r.Checks {
		rows = append(rows, []string{c.Kind, c.Status, c.words()})
	}
	output.Table(w, "", rows)
	switch {
	case r.Components != nil:
		r.Components.Text(w) // with Nodes at its end
	case r.Nodes != "":
		fmt.Fprintln(w)
		fmt.Fprint(w, output.Line("%s", r.Nodes))
	}
}

// words says what is known of the signature in one line.
func (c *Check) words() string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	switch {
	case c.Kind == GPG:
		add("%s", c.Error)
	case c.Error != "":
		add("%s", c.reason())
	default:
		add("%s", c.At)
	}
	add("signer %q", c.Signer)
	add("key %s", c.Key)
	if c.Signed != nil {
		add("signed %s", c.Signed.Format(time.DateTime))
	}
	add("identity %s", c.Identity)
	if c.Kind == GPG && c.Status == Good {
		add("store %s", c.Origin)
	} else {
		add("%s", c.Origin)
	}
	add("by %s", c.Policy)
	add("hint: %s", c.Hint)
	for _, n := range c.Notes {
		add("note: %s", n)
	}
	return strings.Join(parts, ", ")
}

// JUnit returns a case for each check.
func (r *Report) JUnit() ([]byte, error) { return junit.Encode(r.title(), r.Cases()) }

func (r *Report) title() string { return "release verify " + r.Image }

// Cases returns a test case for each check: a failure where a signature is bad or missing, an
// error where nobody knows.
func (r *Report) Cases() []junit.Case {
	var cases []junit.Case
	for _, c := range r.Checks {
		one := junit.Case{Class: r.title(), Name: strings.TrimSpace(c.Kind + " " + c.At)}
		switch reason := (&junit.Reason{Message: c.Error, Type: c.Status, Text: c.words()}); c.Status {
		case Bad, Missing:
			one.Failure = reason
		case Failed:
			one.Error = reason
		case Passed:
			one.Skipped = reason
		}
		cases = append(cases, one)
	}
	if r.Components != nil {
		cases = append(cases, r.Components.Cases()...)
	}
	return cases
}
