package chain

import "fmt"

// PanicError is a panic in a layer or in the base, in work that several callers share.
// The program goes on: every caller gets this error, and the observer is told.
type PanicError struct {
	Value any    // the argument of panic; nil if the goroutine was ended by runtime.Goexit
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "chain: the goroutine of a lookup was ended from inside"
	}
	return fmt.Sprintf("chain: panic in a lookup: %v", e.Value)
}

// newPanicError returns the error of a recovered value. A panic that was passed on from
// another goroutine keeps the stack of that one.
func newPanicError(value any, stack []byte) *PanicError {
	if p, ok := value.(*PanicError); ok {
		return p
	}
	return &PanicError{value, stack}
}
