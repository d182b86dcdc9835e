// Package servingcert keeps a TLS server's certificate and key in step with the
// files they come from, as cert managers and the kubelet renew them.
//
// A pair that cannot be used (half-written, or a key that is not the
// certificate's) changes nothing: the last good one stays. It does not judge
// whether a certificate is still valid; clients do.
package servingcert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// Config configures [New].
type Config struct {
	// CertFile and KeyFile are PEM files. A chain has the server's certificate first.
	CertFile, KeyFile string
	// Poll is how often the files are read although nothing was noticed, for file
	// systems that tell nothing; 0 is 10 s.
	Poll time.Duration
	// Log is told of changes and of pairs that cannot be used; nil is silent.
	Log *zap.Logger
}

// Certificate is a certificate that follows its files. It is safe for concurrent
// use.
type Certificate struct {
	cfg     Config
	current atomic.Pointer[tls.Certificate]
	last    [sha256.Size]byte // of the files as they were read last, good or not
	away    bool              // they could not be read the last time
}

// New reads the files, which must be there and in order.
func New(cfg Config) (*Certificate, error) {
	if cfg.Poll < 0 {
		return nil, errors.New("serving certificate: Poll is negative")
	}
	cfg.Poll = cmp.Or(cfg.Poll, 10*time.Second)
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	c := &Certificate{cfg: cfg}
	if _, err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Get is the certificate in force, for [tls.Config.GetCertificate].
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Start follows the files until ctx ends, and returns nil then. Where they cannot be
// watched they are polled.
func (c *Certificate) Start(ctx context.Context) error {
	events, errs, stop := c.watch()
	defer stop()
	poll := time.NewTicker(c.cfg.Poll)
	defer poll.Stop()
	c.reload() // what changed since New
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events:
			if !ok {
				events = nil
			}
		case err, ok := <-errs:
			if !ok {
				errs = nil
			} else {
				c.cfg.Log.Warn("watching the serving certificate failed; it is polled", zap.Error(err))
			}
		case <-poll.C:
		}
		c.reload()
	}
}

// watch watches the directories: the kubelet swaps a link there, and others replace
// files by renaming. Without a watch there is the poll.
func (c *Certificate) watch() (events <-chan fsnotify.Event, errs <-chan error, stop func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		c.cfg.Log.Warn("the serving certificate cannot be watched; it is polled", zap.Error(err))
		return nil, nil, func() {}
	}
	for _, dir := range []string{filepath.Dir(c.cfg.CertFile), filepath.Dir(c.cfg.KeyFile)} {
		if err := w.Add(dir); err != nil {
			c.cfg.Log.Warn("the serving certificate cannot be watched; it is polled", zap.Error(err))
		}
	}
	return w.Events, w.Errors, func() { w.Close() }
}

func (c *Certificate) reload() {
	switch changed, err := c.read(); {
	case err != nil && changed:
		c.cfg.Log.Warn("the serving certificate cannot be used; the last one stays in force", zap.Error(err))
	case changed:
		c.cfg.Log.Info("the serving certificate was renewed", zap.Time("expires", c.current.Load().Leaf.NotAfter))
	}
}

// read reads the files. It reports whether that came out otherwise than the last
// time. Only one goroutine calls it.
func (c *Certificate) read() (changed bool, err error) {
	cert, err := os.ReadFile(c.cfg.CertFile)
	var key []byte
	if err == nil {
		key, err = os.ReadFile(c.cfg.KeyFile)
	}
	if err != nil {
		changed, c.away = !c.away, true
		return changed, fmt.Errorf("serving certificate: %w", err)
	}
	c.away = false
	sum := sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
	if sum == c.last {
		return false, nil
	}
	c.last = sum
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return true, fmt.Errorf("serving certificate: %s and %s: %w", c.cfg.CertFile, c.cfg.KeyFile, err)
	}
	c.current.Store(&pair)
	return true, nil
}
