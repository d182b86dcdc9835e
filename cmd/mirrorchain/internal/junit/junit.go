// Package junit writes reports in JUnit's format, as CI systems read it.
package junit

import "encoding/xml"

// Suites is the document. [Encode] makes it; it is exported for who reads one.
type Suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suite    Suite    `xml:"testsuite"`
}

// Suite is a list of cases, and counts them.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Cases    []Case `xml:"testcase"`
}

// Case is one check. It passed if it has no reason.
type Case struct {
	Class   string  `xml:"classname,attr"`
	Name    string  `xml:"name,attr"`
	Failure *Reason `xml:"failure,omitempty"` // it is not as it should be
	Error   *Reason `xml:"error,omitempty"`   // it could not be checked
	Skipped *Reason `xml:"skipped,omitempty"` // it was not checked
}

// Reason says why a case did not pass.
type Reason struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// Encode returns the report of cases, which it counts.
func Encode(name string, cases []Case) ([]byte, error) {
	s := Suite{Name: name, Tests: len(cases), Cases: cases}
	for _, c := range cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	out, err := xml.MarshalIndent(Suites{Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Suite: s}, "", "  ")
	return append([]byte(xml.Header), append(out, '\n')...), err
}
