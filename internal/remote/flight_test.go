package remote

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// Work is done once for all who wait; where the one who does it gives up,
// another does it.
func TestFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flight[int]
		first, cancel := context.WithCancelCause(t.Context())
		works, gate := 0, make(chan struct{})
		work := func(ctx context.Context) (int, error) {
			works++
			select {
			case <-gate:
				return works, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		gaveUp := errors.New("gave up")
		go func() {
			if _, err := f.do(first, "", work); !errors.Is(err, gaveUp) {
				t.Errorf("the first: %v", err)
			}
		}()
		synctest.Wait()
		for range 5 {
			go func() {
				if n, err := f.do(t.Context(), "", work); n != 2 || err != nil {
					t.Errorf("another: %d, %v, want what the second work gave", n, err)
				}
			}()
		}
		synctest.Wait()
		cancel(gaveUp)
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if works != 2 || len(f.calls) != 0 {
			t.Errorf("%d works, %d calls left", works, len(f.calls))
		}
	})
}
