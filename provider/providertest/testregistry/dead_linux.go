package testregistry

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// deadAddresses makes 127.0.0.2 and on, n of them, addresses at which nobody answers on
// port: listeners whose queue of connections is full, so that the system drops what
// comes.
func deadAddresses(n, port int) (dead []io.Closer, err error) {
	defer func() {
		if err != nil {
			for _, d := range dead {
				_ = d.Close()
			}
		}
	}()
	for i := range n {
		sa := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + i)}, Port: port}
		l, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return dead, fmt.Errorf("making a socket: %w", err)
		}
		dead = append(dead, heldPort(l))
		if err := errors.Join(syscall.SetsockoptInt(l, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1), syscall.Bind(l, sa), syscall.Listen(l, 0)); err != nil {
			return dead, fmt.Errorf("listening on 127.0.0.%d:%d: %w", 2+i, port, err)
		}
		for range 3 { // the queue of 0 has room for one
			c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
			if err != nil {
				return dead, fmt.Errorf("making a socket: %w", err)
			}
			dead = append(dead, heldPort(c))
			if err := syscall.Connect(c, sa); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
				return dead, fmt.Errorf("filling the queue of 127.0.0.%d:%d: %w", 2+i, port, err)
			}
		}
	}
	return dead, nil
}
