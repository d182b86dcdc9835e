// Package pty opens pseudo-terminals, so that a test sees what a person at a terminal
// sees. It has them for Linux alone.
package pty
