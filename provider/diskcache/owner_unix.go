//go:build unix

package diskcache

import (
	"io/fs"
	"os"
	"syscall"
)

// mine reports whether a file belongs to this process's user.
func mine(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}
