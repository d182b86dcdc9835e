package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Factory opens the sources of one scheme. What its sources need, such as a client or an
// environment, is bound into Open by the code that makes the Factory.
type Factory struct {
	// Scheme is what stands before the colon of a spec: a lower-case letter,
	// then lower-case letters, digits, '+', '-' and '.'.
	Scheme string
	// Help is one line for a person: what the argument is and what is read.
	Help string
	// Open makes a source of what stands after the colon, which may be empty. It fails
	// for an argument that can never work. It does not fail for a source that cannot be
	// reached now: Load does.
	Open func(ctx context.Context, arg string) (policy.OverrideSource, error)
}

// Schemes opens sources by spec. It is immutable and safe for concurrent use.
type Schemes struct {
	factories map[string]Factory
}

// SpecError says that the text of a source spec is wrong. What the spec points at has
// not been looked at.
type SpecError struct {
	Spec string // as it was given
	Err  error  // what is wrong with it, and what to do
}

func (e *SpecError) Error() string { return fmt.Sprintf("source %q: %v", e.Spec, e.Err) }

// Unwrap returns the cause.
func (e *SpecError) Unwrap() error { return e.Err }

// NewSchemes returns the Schemes of the given factories. A scheme that is malformed or
// given twice is an error, and so is a factory without Open.
func NewSchemes(factories ...Factory) (*Schemes, error) {
	r := &Schemes{factories: make(map[string]Factory, len(factories))}
	for _, f := range factories {
		switch _, dup := r.factories[f.Scheme]; {
		case !validScheme(f.Scheme):
			return nil, fmt.Errorf("source factory: malformed scheme %q: want a lower-case letter, then lower-case letters, digits, '+', '-' or '.'", f.Scheme)
		case f.Open == nil:
			return nil, fmt.Errorf("source factory %q: Open is missing", f.Scheme)
		case dup:
			return nil, fmt.Errorf("source factory %q: the scheme is registered twice", f.Scheme)
		}
		r.factories[f.Scheme] = f
	}
	return r, nil
}

// Open opens the source that spec, "SCHEME:ARGUMENT", names. A spec without a
// scheme or with an unknown one is a [*SpecError] that lists the known schemes;
// other errors are the factory's own.
func (r *Schemes) Open(ctx context.Context, spec string) (policy.OverrideSource, error) {
	scheme, arg, ok := strings.Cut(spec, ":")
	if !ok {
		return nil, &SpecError{Spec: spec, Err: fmt.Errorf("no scheme; write SCHEME:ARGUMENT with one of %s", r.known())}
	}
	f, ok := r.factories[scheme]
	if !ok {
		return nil, &SpecError{Spec: spec, Err: fmt.Errorf("unknown scheme %q; known are %s", scheme, r.known())}
	}
	src, err := f.Open(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("opening source %q: %w", spec, err)
	}
	if src == nil {
		return nil, fmt.Errorf("opening source %q: %w", spec, errors.New("the factory returned no source"))
	}
	return src, nil
}

// Factories returns the factories, sorted by scheme, for help texts. The slice is the
// caller's own.
func (r *Schemes) Factories() []Factory {
	out := make([]Factory, 0, len(r.factories))
	for _, scheme := range slices.Sorted(maps.Keys(r.factories)) {
		out = append(out, r.factories[scheme])
	}
	return out
}

// Has reports whether there is a factory for scheme.
func (r *Schemes) Has(scheme string) bool {
	_, ok := r.factories[scheme]
	return ok
}

func (r *Schemes) known() string {
	if len(r.factories) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(r.factories)), ", ")
}

func validScheme(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}
