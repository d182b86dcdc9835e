package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
)

func TestFlightIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[string, int]{Limit: time.Hour}
		runs := 0
		work := func(context.Context) (int, error) {
			runs++
			time.Sleep(time.Second)
			return 42, nil
		}
		leading := make(chan bool, 100)
		for range cap(leading) {
			go func() {
				r := g.Do(t.Context(), "key", work)
				if r.Value != 42 || r.Err != nil || r.Abandoned {
					t.Errorf("Do = %+v; want 42", r)
				}
				leading <- r.Leader
			}()
		}
		leaders := 0
		for range cap(leading) {
			if <-leading {
				leaders++
			}
		}
		if runs != 1 || leaders != 1 {
			t.Errorf("%d runs, %d leaders; want one", runs, leaders)
		}
		if len(g.running) != 0 {
			t.Errorf("%d flights are left behind", len(g.running))
		}
		if r := g.Do(t.Context(), "key", work); !r.Leader || runs != 2 {
			t.Error("a call after the flight did not start another")
		}
	})
}

type secretKey struct{}

// No value of the first caller's context reaches the work, which goes on when this caller leaves.
func TestFlightIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[string, int]{Limit: time.Hour, Linger: time.Minute}
		work := func(ctx context.Context) (int, error) {
			if ctx.Value(secretKey{}) != nil {
				t.Error("the work sees a value of its first caller")
			}
			if err := sleep.For(ctx, 10*time.Second); err != nil {
				t.Errorf("the work was ended: %v", err)
			}
			return 42, nil
		}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), secretKey{}, "secret"), time.Second)
		defer cancel()
		first := make(chan Result[int], 1)
		go func() { first <- g.Do(ctx, "key", work) }()
		synctest.Wait()
		second := make(chan Result[int], 1)
		go func() { second <- g.Do(t.Context(), "key", work) }()

		if r := <-first; !r.Abandoned || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("first caller: %+v; want it to leave at its deadline", r)
		}
		if r := <-second; r.Err != nil || r.Value != 42 || r.Leader {
			t.Errorf("second caller: %+v; want the result of the first's work", r)
		}
	})
}

func TestFlightEndsWhenUnused(t *testing.T) {
	for name, tt := range map[string]struct {
		linger, stops time.Duration
	}{
		"at once":   {0, time.Second},
		"after 60s": {time.Minute, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := Group[string, int]{Limit: time.Hour, Linger: tt.linger}
				start, ended := time.Now(), make(chan time.Duration, 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				g.Do(ctx, "key", func(ctx context.Context) (int, error) {
					<-ctx.Done()
					ended <- time.Since(start)
					return 0, ctx.Err()
				})
				if got := <-ended; got != tt.stops {
					t.Errorf("the work ended after %s; want %s", got, tt.stops)
				}
				synctest.Wait()
				if len(g.running) != 0 {
					t.Error("the flight is still listed")
				}
			})
		})
	}
}

// A caller that joins while the work lingers keeps it going.
func TestFlightIsRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[string, int]{Limit: time.Hour, Linger: time.Minute}
		work := func(ctx context.Context) (int, error) { return 42, sleep.For(ctx, 5*time.Minute) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.Do(ctx, "key", work)
		time.Sleep(30 * time.Second)
		if r := g.Do(t.Context(), "key", work); r.Err != nil || r.Leader {
			t.Errorf("Do = %+v; want the result of the work under way", r)
		}
	})
}

// A flight that was ended is not joined.
func TestFlightCancelledIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[string, int]{Limit: time.Hour}
		stubborn := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Minute) // is slow to notice
			return 0, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.Do(ctx, "key", stubborn)
		r := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 42, nil })
		if r.Err != nil || !r.Leader {
			t.Errorf("Do = %+v; want a flight of its own", r)
		}
		time.Sleep(time.Hour)
	})
}

func TestFlightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[string, int]{Limit: time.Hour}
		start := time.Now()
		r := g.Do(t.Context(), "key", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if r.Abandoned || !errors.Is(r.Err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("Do = %+v after %s; want the work's own limit", r, time.Since(start))
		}
	})
}

type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

func TestFlightPanic(t *testing.T) {
	for name, tt := range map[string]struct {
		work func(context.Context) (int, error)
		want any
	}{
		"panic":  {func(context.Context) (int, error) { panic("boom") }, "boom"},
		"goexit": {func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var reported error
			g := Group[string, int]{Limit: time.Hour, Panicked: func(_ context.Context, _ string, value any, stack []byte) error {
				reported = &panicked{value, stack}
				return reported
			}}
			r := g.Do(t.Context(), "key", tt.work)
			p, ok := errors.AsType[*panicked](r.Err)
			if !ok || p.value != tt.want || len(p.stack) == 0 {
				t.Fatalf("Do = %+v; want the panic %v with a stack", r, tt.want)
			}
			if reported != p {
				t.Error("nobody was told of the panic")
			}
			if r := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 42, nil }); r.Value != 42 {
				t.Errorf("Do after a panic = %+v", r)
			}
		})
	}
}
