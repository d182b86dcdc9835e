package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

const (
	// accept has machine-config-server answer in that version of Ignition's format.
	accept     = "application/vnd.coreos.ignition+json;version=3.2.0, */*;q=0.1"
	maxPayload = 64 << 20
	// onePoll is how long a single answer may take.
	onePoll = 10 * time.Second
)

// server runs machine-config-server on the rendered configuration, and fetches the result.
func (w *work) server(ctx context.Context) ([]byte, error) {
	const step = "running machine-config-server"
	cert, key, err := certificate(time.Now())
	if err == nil {
		err = errors.Join(w.write("mcs/tls.crt", cert), w.write("mcs/tls.key", key))
	}
	if err != nil {
		return nil, at(step, err)
	}
	for attempt := 1; ; attempt++ {
		b, err := w.serve(ctx, step)
		if attempt < 5 && portTaken(err) && ctx.Err() == nil {
			continue // by another program, after we found it free
		}
		return b, err
	}
}

func portTaken(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && strings.Contains(e.Output, "address already in use")
}

func (w *work) serve(ctx context.Context, step string) ([]byte, error) {
	free, err := w.ports.take(2)
	if err != nil {
		return nil, at(step, err)
	}
	defer w.ports.give(free)
	p, err := process.Start(ctx, w.spec("bin/machine-config-server", w.path,
		serverArgs(w.version, w.path, free[0], free[1]), w.cfg.Serve))
	if err != nil {
		return nil, w.ran(step, err)
	}
	defer p.Stop()
	b, err := w.fetch(ctx, p, fmt.Sprintf("http://localhost:%d/config/master", free[1]))
	if err != nil {
		return nil, &Error{Reason: ReasonInvalidConfig, Step: step, Err: err, Output: w.publicOutput(p.Output())}
	}
	return b, nil
}

// fetch asks until there is an answer, the program has ended or its time is over.
func (w *work) fetch(ctx context.Context, p *process.Process, url string) ([]byte, error) {
	t := &http.Transport{DisableKeepAlives: true} // and no proxy
	defer t.CloseIdleConnections()
	client := &http.Client{Transport: t, Timeout: onePoll}
	pause := time.NewTicker(w.cfg.Poll)
	defer pause.Stop()
	for status := 0; ; {
		b, last, err := get(ctx, client, url)
		if last != 0 {
			status = last
		}
		select {
		case <-p.Done(): // whoever answered, it was not our program
			return nil, ended(p, status)
		default:
		}
		if err == nil {
			return b, check(b)
		}
		select {
		case <-p.Done():
			return nil, ended(p, status)
		case <-pause.C:
		}
	}
}

// ended returns why a program that serves has ended.
func ended(p *process.Process, status int) error {
	switch err := p.Err(); {
	case err == nil:
		return errEnded
	case status != 0:
		return fmt.Errorf("%w; it answered %d", err, status)
	default:
		return err
	}
}

// get tries once. It returns a status for an answer that is no config.
func get(ctx context.Context, client *http.Client, url string) (_ []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode, fmt.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxPayload+1))
	return b, 0, err
}

// check wants an Ignition config.
func check(b []byte) error {
	if len(b) > maxPayload {
		return fmt.Errorf("its answer is over %d bytes", maxPayload)
	}
	if !tokens.IsIgnition(b) {
		return errors.New("its answer is no Ignition config")
	}
	return nil
}
