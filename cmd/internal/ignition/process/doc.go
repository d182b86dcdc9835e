// Package process runs programs that may hang, fail, or leave others behind: each
// with a time limit, in a process group of its own that is killed as a whole, with
// bounded output that errors carry. No shell is involved.
//
// It is not for programs that have a conversation: nothing is read from or written
// to them, and what they print is only kept for whoever has to find out why they
// failed.
package process
