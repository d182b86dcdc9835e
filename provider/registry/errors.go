package registry

import (
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// located returns err as an error about ref: an [*provider.Error] with Ref and, where
// it has none of its own, Op filled in.
func located(ref imageref.Ref, op string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		return &provider.Error{Op: op, Ref: ref, Class: provider.ClassUnknown, Err: err}
	}
	c := *e
	c.Ref = ref
	switch {
	case c.Op == "":
		c.Op = op
	case c.Op != op:
		c.Op = op + ": " + c.Op
	}
	return &c
}

func fail(class provider.Class, err error) error { return &provider.Error{Class: class, Err: err} }
