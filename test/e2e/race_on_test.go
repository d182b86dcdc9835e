//go:build race

package e2e

// raceFlags have the operators watched as the tests are.
var raceFlags = []string{"-race"}
