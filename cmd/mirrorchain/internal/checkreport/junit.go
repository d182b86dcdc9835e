package checkreport

import (
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/junit"
)

// JUnit returns a failure for each image that is missing, an error for each that could
// not be asked for, and marks as skipped what the command had no time for.
func (r *Report) JUnit() ([]byte, error) {
	name := r.subject()
	var cases []junit.Case
	for _, c := range r.Images {
		one := junit.Case{Class: name, Name: c.names()}
		switch reason := c.reason(); c.Status {
		case Missing:
			one.Failure = reason
		case Failed:
			one.Error = reason
		case NotAsked:
			one.Skipped = reason
		case Found:
			if r.allMirrors && c.partial {
				one.Failure = &junit.Reason{Message: c.where(), Type: "partial", Text: c.Image + "\n  " + c.where()}
			}
		}
		cases = append(cases, one)
	}
	if r.Signatures != nil {
		cases = append(cases, r.Signatures.Cases()...)
	}
	for _, v := range r.GPG {
		cases = append(cases, v.Cases()...)
	}
	return junit.Encode(name, cases)
}

func (c *Image) reason() *junit.Reason {
	text := c.Image
	if c.lacks != nil {
		text += "\n  " + strings.Join(c.cause(), "\n  ")
	} else if len(c.attempts) > 0 {
		text += failure.Attempts(c.attempts)
	} else {
		text += "\n  " + c.Error
	}
	return &junit.Reason{Message: c.Error, Type: c.Status, Text: text}
}
