package policy

import (
	"maps"
	"slices"
)

// mergeOrders merges the mirror lists that several entries state for one source
// into one order that keeps theirs where it can. Every list holds at least one
// mirror that is not the source.
//
// It is the algorithm of openshift/runtime-utils, pkg/registries: a topological
// sort (Kahn) with a FIFO queue, ties broken by name, a cycle broken at the
// alphabetically first node left, which may be the source. The source is the end
// of every list that does not name it; it is left out of the result where it
// comes last, since it is tried last anyway.
//
// broken tells that the lists contradict each other, or one of them itself.
func mergeOrders(source string, lists [][]string) (order []string, broken bool) {
	g := newGraph(source, lists)
	names := slices.Sorted(maps.Keys(g.after))
	var queue []string
	for _, n := range names {
		if g.before[n] == 0 {
			queue = append(queue, n)
		}
	}
	used := make(map[string]bool, len(names))
	for i := 0; len(queue) > 0 || i < len(names); {
		var n string
		if len(queue) > 0 {
			n, queue = queue[0], queue[1:]
		} else {
			n = names[i]
			i++
			if used[n] {
				continue
			}
			broken = true
		}
		used[n] = true
		order = append(order, n)
		var free []string
		for next := range g.after[n] {
			if g.before[next]--; g.before[next] == 0 && !used[next] {
				free = append(free, next)
			}
		}
		slices.Sort(free)
		queue = append(queue, free...)
	}
	if order[len(order)-1] == source {
		order = order[:len(order)-1]
	}
	return order, broken
}

type graph struct {
	after  map[string]map[string]bool // edges; every node is a key
	before map[string]int             // how many edges lead to a node
}

func newGraph(source string, lists [][]string) graph {
	g := graph{map[string]map[string]bool{}, map[string]int{}}
	for _, list := range lists {
		for i := range len(list) - 1 {
			g.add(list[i], list[i+1])
		}
		if !slices.Contains(list, source) {
			g.add(list[len(list)-1], source)
		}
	}
	return g
}

func (g graph) add(from, to string) {
	for _, n := range []string{from, to} {
		if g.after[n] == nil {
			g.after[n] = map[string]bool{}
		}
	}
	if !g.after[from][to] {
		g.after[from][to] = true
		g.before[to]++
	}
}
