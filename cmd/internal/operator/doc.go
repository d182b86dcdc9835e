// Package operator is what the operators of this project have in common: how the
// process starts, logs and ends, a manager that follows mirror rules and says how
// they are, reconciling everything when the rules change, and writing objects and
// status no more often than they change.
//
// It knows nothing of what is reconciled.
package operator
