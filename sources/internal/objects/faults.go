package objects

import "errors"

// faults are what is wrong with the entries of one object: a person mends them in one go.
type faults []error

// maxFaults is how many are reported at once.
const maxFaults = 20

// err returns them as one error, nil if there is none.
func (f faults) err() error {
	if len(f) == 1 {
		return f[0]
	}
	return errors.Join(f...)
}

// each returns the faults that an error is made of.
func each(err error) faults {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return faults{err}
}
