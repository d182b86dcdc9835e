package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// quantity is a measured value, or none.
type quantity struct {
	v    float64
	unit string
	ok   bool
}

func (q quantity) dividedBy(p quantity) quantity {
	if !q.ok || !p.ok || p.v == 0 {
		return quantity{}
	}
	return quantity{q.v / p.v, "×", true}
}

func (q quantity) minus(p quantity) quantity {
	if !q.ok || !p.ok {
		return quantity{}
	}
	return quantity{q.v - p.v, q.unit, true}
}

// most and least hold q against a target.
func (q quantity) most(limit float64) verdict  { return verify(q, q.v <= limit) }
func (q quantity) least(limit float64) verdict { return verify(q, q.v >= limit) }

func verify(q quantity, met bool) verdict {
	switch {
	case !q.ok:
		return notMeasured
	case met:
		return yes
	}
	return no
}

// verdict is whether a target is met.
type verdict string

const (
	yes         verdict = "yes"
	no          verdict = "**no**"
	asserted    verdict = "asserted" // a count: its test fails if not
	notMeasured verdict = "not measured"
)

// and returns the worst of several.
func (a verdict) and(others ...verdict) verdict {
	for _, b := range others {
		if b == no || b == notMeasured && a != no {
			a = b
		}
	}
	return a
}

// String returns q with three digits that count, in a unit of fitting size.
func (q quantity) String() string {
	if !q.ok {
		return "—"
	}
	v, unit := q.v, q.unit
	if before, of, isTime := strings.Cut(unit, "ns/"); isTime && before == "" && of != "" || unit == "ns" {
		unit = "ns"
		for _, next := range []string{"µs", "ms", "s"} {
			if math.Abs(v) < 1000 {
				break
			}
			v, unit = v/1000, next
		}
	}
	unit = strings.TrimSuffix(unit, "/op")
	for _, whose := range []string{"/ours", "/theirs"} {
		unit = strings.TrimSuffix(unit, whose)
	}
	return number(v) + " " + unit
}

func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
