// Package progress shows on a terminal that something is under way, in one line that
// fits the terminal and is gone afterwards.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	after = 500 * time.Millisecond // a moment is not worth a line
	every = 200 * time.Millisecond
	// Clear is what removes the line.
	Clear = "\r\x1b[K"
	// usualWidth is for a terminal that does not tell its width.
	usualWidth = 80
)

// Start writes what to w until stop is called, which removes the line and may be
// called twice. Width returns the terminal's columns now; 0 is unknown.
func Start(w io.Writer, width func() int, what func() string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start := time.Now()
		select {
		case <-done:
			return
		case <-time.After(after):
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			fmt.Fprint(w, Clear+line(`|/-\`[i%4], what(), time.Since(start), width()))
			select {
			case <-done:
				fmt.Fprint(w, Clear)
				return
			case <-tick.C:
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

// line fits what into width columns and keeps the last one free: a terminal may wrap
// when it is written to.
func line(spinner byte, what string, took time.Duration, width int) string {
	if width <= 0 {
		width = usualWidth
	}
	head, tail := string(spinner)+" ", fmt.Sprintf(" (%.0fs)", took.Seconds())
	room := width - 1 - len(head) - len(tail)
	if room < 1 {
		return head[:min(1, max(width-1, 0))]
	}
	return head + shorten(what, room) + tail
}

// shorten cuts text to n characters, the last of which says so.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

const barWidth = 24

// Bar shows how much of a whole is done: "[=====>    ] 87/191".
func Bar(done, of int) string {
	n := barWidth
	if of > 0 {
		n = done * barWidth / of
	}
	full := strings.Repeat("=", n)
	if n < barWidth {
		full += ">"
	}
	return fmt.Sprintf("[%-*s] %d/%d", barWidth, full, done, of)
}

// between is the time between two lines of a log.
const between = 5 * time.Second

// Lines writes what as a line of its own every five seconds until stop is called, for what
// is no terminal.
func Lines(w io.Writer, what func() string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(between)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintln(w, what())
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

// Pace says how fast it goes and how long the rest takes, at the rate until now: ", 7.5/s,
// 14s left". It is "" until there is something to go by.
func Pace(done, of int, took time.Duration) string {
	if done == 0 || took < time.Second {
		return ""
	}
	rate := float64(done) / took.Seconds()
	text := fmt.Sprintf(", %.0f/s", rate)
	if rate < 10 {
		text = fmt.Sprintf(", %.1f/s", rate)
	}
	if done < of {
		remaining := time.Duration(float64(of-done) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s left", max(remaining.Round(time.Second), time.Second))
	}
	return text
}
