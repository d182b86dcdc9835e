package tokens

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/atomicfile"
)

// dir keeps one file for each token, named by its sum: a line with the SHA-256 of the
// rest, then a [record]. A crash leaves the old file or the new one.
type dir struct {
	root *os.Root
	slot chan struct{} // holds the one that writes
}

const (
	suffix  = ".payload"
	version = 1
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

// sync writes and removes the files of sums. It asks now for the entry of each sum at the
// moment it is written, so two calls at once do not undo each other.
func (d *dir) sync(ctx context.Context, sums []tokenSum, now func(tokenSum) (entry, bool)) error {
	select {
	case d.slot <- struct{}{}:
		defer func() { <-d.slot }()
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

func (d *dir) write(sum tokenSum, e entry) error {
	body, err := json.Marshal(record{
		Version: version, Token: hex.EncodeToString(sum[:]), Secret: e.Secret, UID: e.UID, NodePool: e.NodePool,
		CloudConfigHash: e.CloudConfigHash, Recipe: e.Recipe, Missing: e.Missing, Expires: e.expires.UTC().Round(0), Body: e.Body,
	})
	if err != nil {
		return err
	}
	check := sha256.Sum256(body)
	return atomicfile.Write(d.root, fileName(sum), fmt.Appendf(nil, "%x\n%s", check, body), 0o600)
}

func (d *dir) remove(sum tokenSum) { _ = d.root.Remove(fileName(sum)) }

func (d *dir) close() error {
	d.slot <- struct{}{} // nobody writes any more
	defer func() { <-d.slot }()
	return d.root.Close()
}

// load reads all files. It removes and reports those that cannot be used, and leaves
// files with other names alone.
func (d *dir) load(report func(name string, err error)) (map[tokenSum]entry, error) {
	files, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	all := make(map[tokenSum]entry)
	for _, f := range files {
		name := f.Name()
		if strings.HasPrefix(name, atomicfile.Temporary) {
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
			report(name, err)
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
