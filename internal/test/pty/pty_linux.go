package pty

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal is a terminal that somebody looks at.
type Terminal struct {
	// Program is the end for a program: its standard output, input or error.
	Program *os.File
	// User is the end for whoever looks and types.
	User *os.File
}

// Open opens a terminal with that many columns. It is closed with the test.
func Open(t *testing.T, columns int) *Terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	fd := int(user.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(columns)}))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return &Terminal{program, user}
}

// Control makes the terminal the one that controls cmd, so that what is typed there, such
// as Ctrl-C, reaches it. Standard input has to be the terminal.
func (p *Terminal) Control(cmd *exec.Cmd) {
	cmd.Stdin = p.Program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// Read calls see with all that was shown so far, whenever there is more, until the program
// and this process have closed their end.
func (p *Terminal) Read(see func(shown string)) string {
	_ = p.Program.Close() // that of this process
	var all strings.Builder
	buf := make([]byte, 1<<16)
	for {
		n, err := p.User.Read(buf)
		all.Write(buf[:n])
		if see != nil && n > 0 {
			see(all.String())
		}
		// EIO says that no program has the terminal open any more.
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO) {
				return strings.ReplaceAll(all.String(), "\r\n", "\n")
			}
			return all.String() + err.Error()
		}
	}
}
