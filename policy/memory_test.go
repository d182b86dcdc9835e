package policy_test

import (
	"runtime"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/heap"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Rules take little memory, and hold on to nothing that only merging needed: not to
// the policies either. What the garbage collector has to go through slows all lookups
// down.
func TestRulesHeap(t *testing.T) {
	const n, limit = 20_000, 800 // bytes for a source with two mirrors, their texts included
	build := func() *policy.Rules {
		p, _ := corpus(n)
		return mustRules(t, policy.RulesConfig{}, p)
	}
	before := heap.InUse()
	r := build()
	each := (heap.InUse() - before) / n
	t.Logf("rules take %d bytes of heap for each source", each)
	if each > limit {
		t.Errorf("%d bytes of heap for each source, want at most %d", each, limit)
	}
	runtime.KeepAlive(r)
}
