//go:build !race

package e2e

// raceFlags are for tests that run with -race.
var raceFlags []string
