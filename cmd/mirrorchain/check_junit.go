package main

import (
	"encoding/xml"
)

// JUnit's report as CI systems read it: a case for each image.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure *junitReason `xml:"failure,omitempty"`
		Error   *junitReason `xml:"error,omitempty"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit has a failure for each image that is missing, and an error for each that
// could not be asked for.
func (r *checkReport) junit() ([]byte, error) {
	s := junitSuite{Name: "release " + r.Version, Tests: r.Summary.Images, Failures: r.Summary.Missing, Errors: r.Summary.Failed}
	for _, c := range r.Images {
		one := junitCase{Class: "release " + r.Version, Name: c.Name}
		switch c.Status {
		case statusMissing:
			one.Failure = c.reason()
		case statusFailed:
			one.Error = c.reason()
		}
		s.Cases = append(s.Cases, one)
	}
	out, err := xml.MarshalIndent(junitSuites{Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suite: s}, "", "  ")
	return append([]byte(xml.Header), append(out, '\n')...), err
}

func (c *checkedImage) reason() *junitReason {
	return &junitReason{Message: c.Error, Type: c.Status, Text: c.words()}
}
