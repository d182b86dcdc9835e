package chain

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestBoundedStaysInBounds(t *testing.T) {
	b := bounded[int, int64]{max: 1000}
	rnd := rand.New(rand.NewPCG(1, 2))
	stored := 0
	for i := range 20_000 {
		key, size := rnd.IntN(200), int64(1+rnd.IntN(60))
		if rnd.IntN(3) > 0 {
			b.put(key, size, size)
			if got, ok := b.get(&key); !ok || got != size {
				t.Fatalf("step %d: get(%d) after put = %d, %v; want %d", i, key, got, ok, size)
			}
		} else {
			b.get(&key)
		}
		var sum int64
		n := 0
		for x := b.oldest; x != nil; x = x.newer {
			if x.val != x.size || b.entries[x.key] != x || x.newer != nil && x.newer.older != x {
				t.Fatalf("step %d: entry %d is not linked or indexed as it should be", i, x.key)
			}
			sum += x.size
			n++
		}
		if sum != b.used || sum > b.max || n != len(b.entries) {
			t.Fatalf("step %d: %d bytes in %d entries, counted as %d in %d; limit %d", i, sum, n, b.used, len(b.entries), b.max)
		}
		stored = max(stored, n)
	}
	if stored < 20 {
		t.Errorf("never more than %d entries were held", stored)
	}
}

func TestBoundedKeepsWhatIsUsed(t *testing.T) {
	b := bounded[int, bool]{max: 10}
	hot := 0
	b.put(hot, true, 1)
	for i := 1; i < 1000; i++ {
		b.put(i, true, 1)
		if _, ok := b.get(&hot); !ok {
			t.Fatalf("what is read all the time was dropped by the scan, after %d", i)
		}
	}
}

func TestBoundedTooLarge(t *testing.T) {
	b := bounded[int, string]{max: 10}
	one, two := 1, 2
	b.put(one, "fits", 10)
	b.put(two, "too large", 11)
	if _, ok := b.get(&two); ok {
		t.Error("a value larger than the bound was kept")
	}
	if _, ok := b.get(&one); !ok {
		t.Error("it drove out what fits")
	}
	b.put(one, "too large now", 11)
	if v, ok := b.get(&one); ok {
		t.Errorf("get = %q after its replacement was too large; want nothing", v)
	}
	none := bounded[int, string]{max: -1}
	none.put(one, "", 0)
	if _, ok := none.get(&one); ok {
		t.Error("a negative bound kept something")
	}
}

func TestBoundedConcurrently(t *testing.T) {
	b := bounded[int, int]{max: 50}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 0))
			for range 2000 {
				key := rnd.IntN(100)
				if v, ok := b.get(&key); ok && v != key {
					t.Errorf("get(%d) = %d", key, v)
				}
				b.put(key, key, 1+int64(key%3))
			}
		})
	}
	wg.Wait()
}
