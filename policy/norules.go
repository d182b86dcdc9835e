package policy

import "sync"

// orNone is r, and for nil and for the zero Rules what NewRules makes of no
// policies.
func (r *Rules) orNone() *Rules {
	if r == nil || r.index == nil {
		return noRules()
	}
	return r
}

// noRules is made once; it never changes.
var noRules = sync.OnceValue(func() *Rules {
	r, err := NewRules(RulesConfig{})
	if err != nil { // there is nothing in it that could be wrong
		panic(err)
	}
	return r
})
