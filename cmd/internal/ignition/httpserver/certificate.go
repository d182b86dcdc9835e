package httpserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// certificate serves the pair of Config.CertFile and Config.KeyFile, and follows the
// files. A pair that cannot be used, because it is half-written for example, changes
// nothing: the last good one stays in force.
type certificate struct {
	reader
	watcher *certwatcher.CertWatcher // nil where the system gives no watch
	poll    time.Duration
	log     *zap.Logger
}

// reader reads the files and holds the last good pair.
type reader interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	ReadCertificate() error
}

// newCertificate reads the files, which must hold a usable pair. watch is
// [certwatcher.New]; it fails where the system has no inotify instance left, and then
// the files are polled.
func newCertificate(cfg Config, watch func(cert, key string) (*certwatcher.CertWatcher, error)) (*certificate, error) {
	files := &pairReader{cert: cfg.CertFile, key: cfg.KeyFile}
	if err := files.ReadCertificate(); err != nil {
		return nil, fmt.Errorf("serving certificate %s with key %s: %w", cfg.CertFile, cfg.KeyFile, err)
	}
	c := &certificate{reader: files, poll: cfg.CertPoll, log: cfg.Log}
	w, err := watch(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		c.warn(err)
		return c, nil
	}
	c.reader, c.watcher = w, w.WithWatchInterval(cfg.CertPoll)
	return c, nil
}

// Start follows the files until ctx ends.
func (c *certificate) Start(ctx context.Context) {
	if c.watcher != nil {
		err := c.watcher.Start(ctx) // it polls as well
		if err == nil || ctx.Err() != nil {
			return
		}
		c.warn(err)
	}
	every := time.NewTicker(c.poll)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := c.ReadCertificate(); err != nil {
				c.log.Warn("the serving certificate cannot be used; the last good one stays in force", zap.Error(err))
			}
		}
	}
}

func (c *certificate) warn(err error) {
	c.log.Warn("the serving certificate cannot be watched; it is polled", zap.Duration("every", c.poll), zap.Error(err))
}

// pairReader is a [reader] without a watch.
type pairReader struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
}

// GetCertificate returns the last good pair.
func (p *pairReader) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return p.current.Load(), nil
}

// ReadCertificate reads the files.
func (p *pairReader) ReadCertificate() error {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return err
	}
	p.current.Store(&pair)
	return nil
}
