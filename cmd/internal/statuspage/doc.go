// Package statuspage is a page that shows the mirror rules in force and where they come
// from: the rules, their sources, the health of registries, the last lookups, and for an
// image reference why it is pulled from where. It only reads: it has no form that changes
// anything, and it asks no registry.
//
// The page needs no script, and loads nothing. What tenants and registries choose is shown
// as text: escaped, without control characters, and cut where it is long.
//
// [Handler] serves the page, and [Serve] runs a server for it.
// It decides nothing about who may see it, except that a page on a loopback
// address answers only requests that name one.
package statuspage
