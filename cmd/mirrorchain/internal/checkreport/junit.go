package checkreport

import (
	"encoding/xml"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

// JUnit's report as CI systems read it: a case for each image.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure *junitReason `xml:"failure,omitempty"`
		Error   *junitReason `xml:"error,omitempty"`
		Skipped *junitReason `xml:"skipped,omitempty"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit returns a failure for each image that is missing, an error for each that could
// not be asked for, and marks as skipped what the command had no time for.
func (r *Report) JUnit() ([]byte, error) {
	s := junitSuite{
		Name: "release " + r.Version, Tests: r.Summary.Images,
		Failures: r.Summary.Missing, Errors: r.Summary.Failed, Skipped: r.Summary.NotAsked,
	}
	for _, c := range r.Images {
		one := junitCase{Class: "release " + r.Version, Name: c.names()}
		switch reason := c.reason(); c.Status {
		case Missing:
			one.Failure = reason
		case Failed:
			one.Error = reason
		case NotAsked:
			one.Skipped = reason
		}
		s.Cases = append(s.Cases, one)
	}
	out, err := xml.MarshalIndent(junitSuites{Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Suite: s}, "", "  ")
	return append([]byte(xml.Header), append(out, '\n')...), err
}

func (c *Image) reason() *junitReason {
	text := c.Image
	if c.lacks != nil {
		text += "\n  " + strings.Join(c.cause(), "\n  ")
	} else if len(c.attempts) > 0 {
		text += failure.Attempts(c.attempts)
	} else {
		text += "\n  " + c.Error
	}
	return &junitReason{Message: c.Error, Type: c.Status, Text: text}
}
