package hypershift

import (
	"strconv"
	"time"
)

// Pause is what a field pausedUntil says.
type Pause struct {
	Paused bool
	// Left is how long a pause lasts that ends by itself; 0 is until the field changes.
	Left time.Duration
	// Invalid says that the value is neither a boolean nor a time. It pauses nothing.
	Invalid bool
}

// ReadPause reads pausedUntil: a boolean, or a time in RFC 3339. Nil is no pause.
func ReadPause(pausedUntil *string, now time.Time) Pause {
	if pausedUntil == nil {
		return Pause{}
	}
	if forever, err := strconv.ParseBool(*pausedUntil); err == nil {
		return Pause{Paused: forever}
	}
	until, err := time.Parse(time.RFC3339, *pausedUntil)
	if err != nil {
		return Pause{Invalid: true}
	}
	if remaining := until.Sub(now); remaining > 0 {
		return Pause{Paused: true, Left: remaining}
	}
	return Pause{}
}
