package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
	"github.com/mirrorchain/mirrorchain/sources/internal/registriesconf"
)

// load reads the files of l into one policy. handed says that one of them is a
// document of another process, which may hold no rules.
func (s *source) load(ctx context.Context, l layout) (p policy.Policy, handed bool, err error) {
	if l.conf != "" || len(l.dropIns) > 0 {
		if err := s.addConf(ctx, &p, l.conf, nil, l.dropIns); err != nil {
			return p, false, err
		}
	}
	for _, path := range l.files {
		data, err := s.read(ctx, path)
		if err != nil {
			return p, false, err
		}
		what := recognise(data)
		var drops []string
		if what != documents && !l.dir {
			if drops, err = dropIns(path); err != nil {
				return p, false, fmt.Errorf("reading the drop-ins of file:%s: %w", path, reason(err))
			}
		}
		// A file without content is a registries.conf if it has drop-ins.
		if what == documents || what == nothing && len(drops) == 0 {
			if err := addDocuments(&p, "file:"+path, data); err != nil {
				return p, false, err
			}
			handed = handed || handover.IsDocument(data)
			continue
		}
		if err := s.addConf(ctx, &p, path, data, drops); err != nil {
			return p, false, err
		}
	}
	for _, path := range l.unread {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNotEnforced,
			Origins: []string{"file:" + path},
			Message: fmt.Sprintf("file:%s is not read, because the directory holds YAML or JSON as well; name it as a source of its own", path),
		})
	}
	return p, handed, nil
}

func addDocuments(p *policy.Policy, where string, data []byte) error {
	decode := objects.Decode
	if handover.IsDocument(data) {
		decode = handover.Decode
	}
	q, err := decode(where, data)
	if err != nil {
		return err
	}
	for _, o := range q.Skipped {
		if o.Kind == handover.Kind {
			return &policy.InvalidPolicyError{
				Origin: o.Origin,
				Err:    fmt.Errorf("a %s is read as JSON, and as all there is in its file", handover.Kind),
			}
		}
	}
	p.Rules = append(p.Rules, q.Rules...)
	p.Insecure = append(p.Insecure, q.Insecure...)
	p.Blocked = append(p.Blocked, q.Blocked...)
	p.Skipped = append(p.Skipped, q.Skipped...)
	p.Warnings = append(p.Warnings, q.Warnings...)
	return nil
}

// addConf reads a registries.conf, unless its data is given or conf is "", and
// the drop-ins after it.
func (s *source) addConf(ctx context.Context, p *policy.Policy, conf string, data []byte, drops []string) error {
	var merged registriesconf.Conf
	if data == nil && conf != "" {
		read, err := s.read(ctx, conf)
		if err != nil {
			return err
		}
		data = read
	}
	if conf != "" {
		c, err := registriesconf.Decode("file:"+conf, data)
		if err != nil {
			return err
		}
		merged = c
	}
	for _, path := range drops {
		data, err := s.read(ctx, path)
		if err != nil {
			return err
		}
		c, err := registriesconf.Decode("file:"+path, data)
		if err != nil {
			return err
		}
		merged.Apply(c)
	}
	merged.AddTo(p)
	return nil
}

// read is the content of one file, up to the limit. A regular file that changes while
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
		settled := time.NewTimer(wait)
		select {
		case <-settled.C:
		case <-ctx.Done():
			settled.Stop()
			return nil, ctx.Err()
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

// content is what a file holds, as far as its first line tells.
type content int

const (
	nothing   content = iota // blank lines and comments
	documents                // YAML or JSON
	tables                   // TOML
)

// first is the first line of a TOML file that is neither blank nor a comment: a
// table's header or a key with "=". YAML has neither, outside of plain scalars
// that would be no policy.
var first = regexp.MustCompile(`^(\[\[?[ \t]*[\w."'-]+[ \t]*\]\]?[ \t]*(#.*)?|[\w."' \t-]+=.*)$`)

func recognise(data []byte) content {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case first.Match(line):
			return tables
		default:
			return documents
		}
	}
	return nothing
}
