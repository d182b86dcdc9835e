package diskcache

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// count adds what was written, and reports whether it is time to tidy: too much is
// there, or so much was written since the last time that others may have as well.
func (b *bucket) count(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.since += n
	return b.used > b.max || b.since > b.max/16
}

// tidy counts what there is, and removes what was left half-written, and if there is
// too much, what was not used for longest until a tenth is free. Where the disk is
// full, and need bytes did not fit, what is there is too much.
func (b *bucket) tidy(need int64) {
	b.mu.Lock()
	if b.tidying {
		b.mu.Unlock()
		return
	}
	b.tidying, b.since = true, 0
	b.mu.Unlock()

	used := b.sweep(need)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidying = false
	b.used = used + b.since
}

func (b *bucket) sweep(need int64) (used int64) {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	if err != nil {
		b.refusals.add(err)
	}
	now := time.Now()
	var files []fs.FileInfo
	for _, e := range entries {
		ours, temporary := b.isName(e.Name()), isTemporary(e.Name())
		if !ours && !temporary {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if temporary && now.Sub(info.ModTime()).Abs() > leftOver {
			_ = b.root.Remove(info.Name())
			continue
		}
		used += size(info.Size())
		if ours {
			files = append(files, info)
		}
	}
	target := b.target(used, need)
	if used <= target {
		return used
	}
	slices.SortFunc(files, func(x, y fs.FileInfo) int { return lastUse(x, now).Compare(lastUse(y, now)) })
	for _, f := range files {
		if used <= target {
			break
		}
		// Who reads it now reads it to its end; it may be gone already.
		if err := b.root.Remove(f.Name()); err == nil || errors.Is(err, fs.ErrNotExist) {
			used -= size(f.Size())
		}
	}
	return used
}

// target returns what may stay of used bytes. For need bytes that the disk has not got a
// tenth goes, or as much as it takes; but never more than half for one file.
func (b *bucket) target(used, need int64) int64 {
	target := used
	if used > b.max {
		target = b.max - b.max/10
	}
	if less := max(used/10, 2*need); need > 0 && less <= used/2 {
		target = min(target, used-less)
	}
	return target
}

// lastUse returns when a file was last used, as far as that can be told: what says later
// than now was noted by a clock that was ahead, and could stay for ever.
func lastUse(f fs.FileInfo, now time.Time) time.Time {
	if t := f.ModTime(); t.Sub(now) <= touchEvery {
		return t
	}
	return time.Time{}
}

// size returns what a file of n bytes takes.
func size(n int64) int64 { return (n + block - 1) / block * block }
