package failure

import (
	"errors"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Document is the JSON of a command that failed, in place of its result.
type Document struct {
	Error    string   `json:"error"`
	ExitCode int      `json:"exitCode"`
	Attempts []Record `json:"attempts"` // of a lookup that no endpoint answered; else empty
	Hints    []string `json:"hints"`    // what to do about it
}

// DocumentOf returns err for JSON.
func DocumentOf(err error, code int) Document {
	d := Document{Error: err.Error(), ExitCode: code, Attempts: []Record{}, Hints: []string{}}
	if l, ok := errors.AsType[*Lookup](err); ok {
		d.Error, d.Hints = l.Head, output.List(l.Hints)
		for _, at := range l.Attempts {
			d.Attempts = append(d.Attempts, RecordOf(at))
		}
	}
	return d
}

// Record is an attempt in JSON.
type Record struct {
	Image      string `json:"image"`
	Error      string `json:"error"` // "" for the one that answered
	DurationMS int64  `json:"durationMs"`
	Class      string `json:"class"`  // what kind of failure, "" for the one that answered
	Status     int    `json:"status"` // the HTTP status of a failure, 0 where there was none
}

// RecordOf returns at for JSON.
func RecordOf(at provider.Attempt) Record {
	e := Record{Image: at.Ref.String(), DurationMS: at.Took.Milliseconds()}
	if at.Err != nil {
		e.Error, e.Class, e.Status = at.Err.Error(), provider.ClassOf(at.Err).String(), Status(at.Err)
	}
	return e
}
