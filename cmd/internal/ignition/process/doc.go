// Package process runs programs that may hang, fail, or leave others behind. Each has a
// time limit and a process group of its own that is killed as a whole, and does not
// outlive this process. Its output is bounded, and errors carry the end of it. No shell
// is involved. A [Reaper] also kills processes that have left their group.
//
// It is not for programs that have a conversation: nothing is written to them, and their
// output is kept only for whoever has to find out why they failed.
package process
