package file

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// load reads the files of l into one policy. handed says that one of them is a
// document of another process, which may hold no rules.
func (s *source) load(ctx context.Context, l layout) (p policy.Policy, handed bool, err error) {
	set := objects.NewSet(s.cfg.HostedCluster)
	for _, path := range l.files {
		data, err := s.read(ctx, path)
		if err == nil {
			err = set.Add("file:"+path, data)
		}
		if err != nil {
			return p, false, err
		}
		if !l.dir && objects.Recognise(data) != objects.Documents {
			if err = l.addDropIns(path); err != nil {
				return p, false, fmt.Errorf("reading the drop-ins of file:%s: %w", path, reason(err))
			}
		}
	}
	for _, path := range append([]string{l.conf}, l.dropIns...) {
		if path == "" {
			continue
		}
		data, err := s.read(ctx, path)
		if err == nil {
			err = set.AddConf("file:"+path, data, path != l.conf)
		}
		if err != nil {
			return p, false, err
		}
	}
	if p, err = set.Policy(); err != nil {
		if e, ok := err.(*policy.InvalidPolicyError); ok && e.Origin == "" {
			e.Origin = s.Name()
		}
		return policy.Policy{}, false, err
	}
	for _, path := range l.unread {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNotEnforced,
			Origins: []string{"file:" + path},
			Message: fmt.Sprintf("file:%s is not read, as nodes read registries.conf and what is in registries.conf.d; name it as a source of its own", path),
		})
	}
	for _, path := range l.nowhere {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNotRead,
			Origins: []string{"file:" + path},
			Message: fmt.Sprintf("file:%s is a symbolic link to a file that is not there, so nothing is read of it; mend the link or remove it", path),
		})
	}
	return p, set.HandedOn(), nil
}

// read returns the content of one file, up to the limit. A regular file that changes while
// it is read, or was changed a moment ago, may be one that somebody is writing in
// place: empty between the truncation and the first write, or half old and half new,
// which may well parse. It is read again once it has been left alone for as long as a
// change takes to settle. Whenever it is read, and not only when the watch tells,
// since a load that failed is tried again at any time.
func (s *source) read(ctx context.Context, path string) ([]byte, error) {
	for range rereads {
		data, wait, err := s.readNow(ctx, path)
		if err != nil || wait <= 0 {
			return data, err
		}
		if err := sleep.For(ctx, wait); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("reading file:%s: it is written all the time; replace it by renaming a finished file", path)
}

// rereads is how often a file may be found changing.
const rereads = 20

// readNow reads the file as it is, and says how long it is yet to be left alone.
func (s *source) readNow(ctx context.Context, path string) (data []byte, wait time.Duration, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("reading file:%s: %w", path, reason(err))
	}
	defer f.Close()
	before, err := f.Stat()
	if err == nil && !before.Mode().IsRegular() {
		data, err = readAll(ctx, path, f, s.cfg.MaxBytes)
		return data, 0, err
	}
	if err == nil {
		if data, err = readAll(ctx, path, f, s.cfg.MaxBytes); err != nil {
			return nil, 0, err
		}
	}
	after, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("reading file:%s: %w", path, reason(err))
	}
	if !after.ModTime().Equal(before.ModTime()) || after.Size() != int64(len(data)) {
		return nil, s.cfg.Settle, nil
	}
	if age := time.Since(after.ModTime()); age >= 0 && age < s.cfg.Settle {
		return data, s.cfg.Settle - age, nil
	}
	return data, 0, nil
}

func readAll(ctx context.Context, path string, r io.Reader, most int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok {
		// Regular files refuse a deadline and never wait long; pipes take it.
		stop := context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Now()) })
		defer stop()
	}
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("reading file:%s: %w", path, reason(err))
	case int64(len(data)) > most:
		return nil, &policy.InvalidPolicyError{
			Origin: "file:" + path,
			Err:    fmt.Errorf("the file has more than %d bytes, which is no plausible size of a mirror policy", most),
		}
	}
	return data, nil
}
