package chain

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Notes remembers small facts beyond the life of a process: which credential has
// read what, and which release an image was. Package provider/diskcache has one.
//
// Keys hold the identities of credentials, from which weak passwords could be
// guessed, and must not be stored as they are. Values hold nothing secret. It is safe
// for concurrent use. What it loses is asked for again, and what it makes up would be
// believed: it must tell a note that is not as it was written.
type Notes interface {
	// Note is what was last noted under key.
	Note(key string) (value []byte, ok bool)
	// PutNote notes value, which is below 4 KiB, in place of what was there.
	PutNote(key string, value []byte)
	// DropNote ends what was noted under key: somebody was denied what it grants. It
	// must hold for the next process wherever it can, on a full disk too; and for this
	// one always.
	DropNote(key string)
}

// note is what is remembered of an answer: which release it was, not the release.
type note struct {
	of    contentKey
	named string       // digest that the reference itself names; "" unknown
	from  imageref.Ref // endpoint that answered; zero unknown
	asked time.Time    // in seconds
}

// noteText is a note as it is kept.
type noteText struct {
	Version      int    `json:"version"`
	Digest       string `json:"digest"`
	OS           string `json:"os,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Variant      string `json:"variant,omitempty"`
	Named        string `json:"named,omitempty"`
	From         string `json:"from,omitempty"`
	Asked        int64  `json:"asked"`
}

const noteVersion = 1

// noteKey joins what identifies a note; no part holds a zero byte.
func noteKey(parts ...string) string { return strings.Join(parts, "\x00") }

func putNote(to Notes, key string, n note) {
	if to == nil {
		return
	}
	p := n.of.platform
	b, err := json.Marshal(noteText{
		Version: noteVersion, Digest: n.of.digest, OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
		Named: n.named, From: n.from.String(), Asked: n.asked.Unix(),
	})
	if err == nil {
		to.PutNote(key, b)
	}
}

func noteOf(in Notes, key string) (note, bool) {
	if in == nil {
		return note{}, false
	}
	b, ok := in.Note(key)
	if !ok {
		return note{}, false
	}
	return parseNote(b)
}

// parseNote reads a note. One of another version, or that names no digest, is none.
func parseNote(b []byte) (note, bool) {
	var t noteText
	if json.Unmarshal(b, &t) != nil || t.Version != noteVersion || !isDigest(t.Digest) || t.Named != "" && !isDigest(t.Named) {
		return note{}, false
	}
	n := note{
		of:    contentKey{t.Digest, provider.Platform{OS: t.OS, Architecture: t.Architecture, Variant: t.Variant}},
		named: t.Named, asked: time.Unix(t.Asked, 0),
	}
	if t.From != "" {
		var err error
		if n.from, err = imageref.Parse(t.From); err != nil {
			return note{}, false
		}
	}
	return n, true
}

func isDigest(s string) bool {
	algorithm, sum, ok := strings.Cut(s, ":")
	return ok && algorithm != "" && sum != ""
}
