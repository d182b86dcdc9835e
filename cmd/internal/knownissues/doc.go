// Package knownissues has no code of its own: its tests show, one by one, that what
// the users of HyperShift's mirror overrides have run into cannot happen here.
// docs/known-issues.md is the table, with the tests of other packages beside these;
// a test here checks that it is complete and that every test it names exists.
//
// The tests stand on real parts: registries on loopback, the chains that package
// assembly makes for each binary, and an API server where policies come from one.
package knownissues
