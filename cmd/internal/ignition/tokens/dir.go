package tokens

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// dir keeps one file for each token, named by its sum: a line with the SHA-256 of
// the rest, then a [record]. Files are written beside and renamed, so that a crash
// leaves the old one or the new one.
type dir struct {
	root *os.Root
	turn chan struct{} // whoever puts something in writes, one at a time
}

const (
	temporary = "tmp-"
	suffix    = ".payload"
	version   = 1
)

// record is the content of a file.
type record struct {
	Version         int       `json:"version"`
	Token           string    `json:"token"` // its SHA-256, in hex: a file under another name is not believed
	Secret          string    `json:"secret"`
	UID             string    `json:"uid,omitempty"`
	NodePool        string    `json:"nodePool"`
	CloudConfigHash string    `json:"cloudConfigHash"`
	Recipe          string    `json:"recipe,omitempty"`
	Missing         []string  `json:"missing,omitempty"`
	Expires         time.Time `json:"expires"`
	Body            []byte    `json:"body"`
}

var errWritten = errors.New("it is not as it was written")

func fileName(sum tokenSum) string { return hex.EncodeToString(sum[:]) + suffix }

// sync makes the files of sums what now says of them, at the moment they are
// written. Two calls at once do not undo each other.
func (d *dir) sync(ctx context.Context, sums []tokenSum, now func(tokenSum) (entry, bool)) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var errs []error
	for _, sum := range sums {
		if e, ok := now(sum); ok {
			errs = append(errs, d.write(sum, e))
		} else if err := d.root.Remove(fileName(sum)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("payload store: %w", err)
	}
	return nil
}

func (d *dir) write(sum tokenSum, e entry) (err error) {
	body, err := json.Marshal(record{
		Version: version, Token: hex.EncodeToString(sum[:]), Secret: e.Secret, UID: e.UID, NodePool: e.NodePool,
		CloudConfigHash: e.CloudConfigHash, Recipe: e.Recipe, Missing: e.Missing, Expires: e.expires.UTC().Round(0), Body: e.Body,
	})
	if err != nil {
		return err
	}
	check := sha256.Sum256(body)
	tmp := temporary + rand.Text()
	f, err := d.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			_ = d.root.Remove(tmp)
		}
	}()
	if _, err := fmt.Fprintf(f, "%x\n%s", check, body); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.root.Rename(tmp, fileName(sum)); err != nil {
		return err
	}
	return d.flush()
}

// flush makes a rename last.
func (d *dir) flush() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (d *dir) remove(sum tokenSum) { _ = d.root.Remove(fileName(sum)) }

func (d *dir) close() error {
	d.turn <- struct{}{} // nobody is writing
	defer func() { <-d.turn }()
	return d.root.Close()
}

// load reads all files. One that cannot be used is removed and told of; files with
// names that are not ours are left alone.
func (d *dir) load(tell func(name string, err error)) (map[tokenSum]entry, error) {
	files, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	all := make(map[tokenSum]entry)
	for _, f := range files {
		name := f.Name()
		if strings.HasPrefix(name, temporary) {
			_ = d.root.Remove(name)
			continue
		}
		hexed, ok := strings.CutSuffix(name, suffix)
		raw, err := hex.DecodeString(hexed)
		if !ok || err != nil || len(raw) != sha256.Size {
			continue
		}
		sum := tokenSum(raw)
		e, err := d.read(name, sum)
		if err != nil {
			tell(name, err)
			_ = d.root.Remove(name)
			continue
		}
		all[sum] = e
	}
	return all, nil
}

func (d *dir) read(name string, sum tokenSum) (entry, error) {
	b, err := d.root.ReadFile(name)
	if err != nil {
		return entry{}, err
	}
	head, body, _ := bytes.Cut(b, []byte("\n"))
	check := sha256.Sum256(body)
	if string(head) != hex.EncodeToString(check[:]) {
		return entry{}, errWritten
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return entry{}, errWritten // the cause could quote what is secret
	}
	if r.Version != version || r.Token != hex.EncodeToString(sum[:]) {
		return entry{}, errWritten
	}
	return entry{Payload{
		Secret: r.Secret, UID: r.UID, NodePool: r.NodePool,
		CloudConfigHash: r.CloudConfigHash, Recipe: r.Recipe, Missing: r.Missing, Body: r.Body, Valid: IsIgnition(r.Body),
	}, r.Expires}, nil
}
