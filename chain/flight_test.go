package chain

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlightIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := flights[string, int]{limit: time.Hour}
		runs := 0
		work := func(context.Context) (int, error) {
			runs++
			time.Sleep(time.Second)
			return 42, nil
		}
		led := make(chan bool, 100)
		for range cap(led) {
			go func() {
				l := fs.do(t.Context(), "key", work)
				if l.val != 42 || l.err != nil || l.left {
					t.Errorf("do = %+v; want 42", l)
				}
				led <- l.led
			}()
		}
		leaders := 0
		for range cap(led) {
			if <-led {
				leaders++
			}
		}
		if runs != 1 || leaders != 1 {
			t.Errorf("%d runs, %d leaders; want one", runs, leaders)
		}
		if len(fs.running) != 0 {
			t.Errorf("%d flights are left behind", len(fs.running))
		}
		if l := fs.do(t.Context(), "key", work); !l.led || runs != 2 {
			t.Error("a call after the flight did not start another")
		}
	})
}

type secretKey struct{}

// The work has nothing of its first caller, and goes on when that leaves.
func TestFlightIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := flights[string, int]{limit: time.Hour, linger: time.Minute}
		work := func(ctx context.Context) (int, error) {
			if ctx.Value(secretKey{}) != nil {
				t.Error("the work sees a value of its first caller")
			}
			if err := sleep(ctx, 10*time.Second); err != nil {
				t.Errorf("the work was ended: %v", err)
			}
			return 42, nil
		}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), secretKey{}, "secret"), time.Second)
		defer cancel()
		first := make(chan landing[int], 1)
		go func() { first <- fs.do(ctx, "key", work) }()
		synctest.Wait()
		second := make(chan landing[int], 1)
		go func() { second <- fs.do(t.Context(), "key", work) }()

		if l := <-first; !l.left || !errors.Is(l.err, context.DeadlineExceeded) {
			t.Errorf("first caller: %+v; want it to leave at its deadline", l)
		}
		if l := <-second; l.err != nil || l.val != 42 || l.led {
			t.Errorf("second caller: %+v; want the result of the first's work", l)
		}
	})
}

func TestFlightEndsWhenUnused(t *testing.T) {
	for name, tt := range map[string]struct {
		linger, ends time.Duration
	}{
		"at once":   {0, time.Second},
		"after 60s": {time.Minute, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := flights[string, int]{limit: time.Hour, linger: tt.linger}
				start, ended := time.Now(), make(chan time.Duration, 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				fs.do(ctx, "key", func(ctx context.Context) (int, error) {
					<-ctx.Done()
					ended <- time.Since(start)
					return 0, ctx.Err()
				})
				if got := <-ended; got != tt.ends {
					t.Errorf("the work ended after %s; want %s", got, tt.ends)
				}
				synctest.Wait()
				if len(fs.running) != 0 {
					t.Error("the flight is still listed")
				}
			})
		})
	}
}

// A caller that joins while the work lingers keeps it going.
func TestFlightIsRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := flights[string, int]{limit: time.Hour, linger: time.Minute}
		work := func(ctx context.Context) (int, error) { return 42, sleep(ctx, 5*time.Minute) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		fs.do(ctx, "key", work)
		time.Sleep(30 * time.Second)
		if l := fs.do(t.Context(), "key", work); l.err != nil || l.led {
			t.Errorf("do = %+v; want the result of the work under way", l)
		}
	})
}

// A flight that was ended takes nobody else on board.
func TestFlightCancelledIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := flights[string, int]{limit: time.Hour}
		stubborn := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Minute) // is slow to notice
			return 0, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		fs.do(ctx, "key", stubborn)
		l := fs.do(t.Context(), "key", func(context.Context) (int, error) { return 42, nil })
		if l.err != nil || !l.led {
			t.Errorf("do = %+v; want a flight of its own", l)
		}
		time.Sleep(time.Hour)
	})
}

func TestFlightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := flights[string, int]{limit: time.Hour}
		start := time.Now()
		l := fs.do(t.Context(), "key", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if l.left || !errors.Is(l.err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("do = %+v after %s; want the work's own limit", l, time.Since(start))
		}
	})
}

func TestFlightPanic(t *testing.T) {
	for name, tt := range map[string]struct {
		work func(context.Context) (int, error)
		want string
	}{
		"panic":  {func(context.Context) (int, error) { panic("boom") }, "boom"},
		"goexit": {func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }, "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			var told *PanicError
			fs := flights[string, int]{limit: time.Hour, panicked: func(_ context.Context, _ string, err *PanicError) { told = err }}
			l := fs.do(t.Context(), "key", tt.work)
			p, ok := errors.AsType[*PanicError](l.err)
			if !ok || !strings.Contains(l.err.Error(), tt.want) || len(p.Stack) == 0 {
				t.Fatalf("do = %+v; want a PanicError with %q and a stack", l, tt.want)
			}
			if told != p {
				t.Error("nobody was told of the panic")
			}
			if l := fs.do(t.Context(), "key", func(context.Context) (int, error) { return 42, nil }); l.val != 42 {
				t.Errorf("do after a panic = %+v", l)
			}
		})
	}
}
