package testregistry

import (
	"fmt"
	"io"
	"net"
	"syscall"
)

// holdPort takes a free port and keeps it from everybody else, without
// listening: connections are refused until a listener with SO_REUSEADDR, as Go
// makes them, is put on it too.
func holdPort(host string) (io.Closer, int, error) {
	family, sa := syscall.AF_INET6, syscall.Sockaddr(nil)
	ip := net.ParseIP(host)
	if ip4 := ip.To4(); ip4 != nil {
		family, sa = syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte(ip4)}
	} else {
		sa = &syscall.SockaddrInet6{Addr: [16]byte(ip.To16())}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("making a socket: %w", err)
	}
	h := heldPort(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		_ = h.Close()
		return nil, 0, fmt.Errorf("setting up a socket: %w", err)
	}
	if err := syscall.Bind(fd, sa); err != nil {
		_ = h.Close()
		return nil, 0, fmt.Errorf("taking a port of %s: %w", host, err)
	}
	got, err := syscall.Getsockname(fd)
	if err != nil {
		_ = h.Close()
		return nil, 0, fmt.Errorf("asking for the port: %w", err)
	}
	if a, ok := got.(*syscall.SockaddrInet4); ok {
		return h, a.Port, nil
	}
	return h, got.(*syscall.SockaddrInet6).Port, nil
}

type heldPort int

func (h heldPort) Close() error { return syscall.Close(int(h)) }
