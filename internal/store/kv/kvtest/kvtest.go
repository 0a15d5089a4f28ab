// Package kvtest has the suite that every kv.Store passes.
package kvtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Run holds a store against the contract of kv.Store. open returns an empty
// store and sees to its end.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	tests := map[string]func(t *testing.T, s kv.Store){
		"get":                get,
		"values":             values,
		"order":              order,
		"prefix and after":   prefixAndAfter,
		"list stops":         listStops,
		"list and write":     listAndWrite,
		"conditions":         conditions,
		"conditions in turn": conditionsInTurn,
		"all or none":        allOrNone,
		"keys":               keys,
		"values are copied":  valuesAreCopied,
		"one winner":         oneWinner,
		"no update is lost":  noUpdateIsLost,
		"context":            cancelled,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func set(key, value string) kv.Change { return kv.Change{Key: key, Value: []byte(value)} }

func apply(t *testing.T, s kv.Store, changes ...kv.Change) {
	t.Helper()
	if err := s.Apply(t.Context(), changes); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

// List returns the keys and values of a listing as "key=value".
func List(t *testing.T, s kv.Store, prefix, after string) []string {
	t.Helper()
	var got []string
	for e, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("List(%q, %q): %v", prefix, after, err)
		}
		got = append(got, e.Key+"="+string(e.Value))
	}
	return got
}

func wantList(t *testing.T, s kv.Store, prefix, after string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, List(t, s, prefix, after)); diff != "" {
		t.Errorf("List(%q, %q) (-want +got):\n%s", prefix, after, diff)
	}
}

func wantGet(t *testing.T, s kv.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || string(got) != want {
		t.Errorf("Get(%q) = %q, %v; want %q", key, got, err, want)
	}
}

func wantNone(t *testing.T, s kv.Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get(%q) = %q, %v; want ErrNotFound", key, got, err)
	}
}

func get(t *testing.T, s kv.Store) {
	wantNone(t, s, "a")
	wantList(t, s, "", "")
	apply(t, s)
	apply(t, s, set("a", "1"), set("b", "2"))
	wantGet(t, s, "a", "1")
	wantGet(t, s, "b", "2")
	wantNone(t, s, "ab")
	apply(t, s, set("a", "3"))
	wantGet(t, s, "a", "3")
	apply(t, s, kv.Change{Key: "a"}, kv.Change{Key: "never"})
	wantNone(t, s, "a")
	wantList(t, s, "", "", "b=2")
	apply(t, s, set("a", "4"))
	wantList(t, s, "", "", "a=4", "b=2")
}

// values: any bytes come back as they were, JSON or not.
func values(t *testing.T, s kv.Store) {
	all := []string{
		"", " ", "null", "true", "{}", `{"a": [1, 2]}`, "{\"a\":\n1}", `"text"`, "text", `"`, `\`, "\x00", "\xff\xfe",
		`{"a":"` + "\xff" + `"}`, `{} `, ` {}`, "{}\n", "{}{}", `"},"b":"`, strings.Repeat("x", 100_000), "é", "1e400",
		`{"deep":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}",
	}
	for i, v := range all {
		apply(t, s, set(fmt.Sprintf("k%02d", i), v))
	}
	var want []string
	for i, v := range all {
		key := fmt.Sprintf("k%02d", i)
		want = append(want, key+"="+v)
		wantGet(t, s, key, v)
		if got, err := s.Get(t.Context(), key); err == nil && got == nil {
			t.Errorf("Get(%q) is nil for a key that has a value", key)
		}
	}
	wantList(t, s, "", "", want...)
}

// order: by bytes, whatever the order of writing.
func order(t *testing.T, s kv.Store) {
	apply(t, s, set("b", "1"), set("a/b", "2"), set("é", "3"))
	apply(t, s, set("a", "4"), set("a-b", "5"), set("B", "6"), set("aa", "7"), set("𝛼", "8"), set("\uffee", "9"))
	wantList(t, s, "", "", "B=6", "a=4", "a-b=5", "a/b=2", "aa=7", "b=1", "é=3", "\uffee=9", "𝛼=8")
	var want []string
	for i := range 500 {
		apply(t, s, set(fmt.Sprintf("n/%03d", i*7%500), "x"))
		want = append(want, fmt.Sprintf("n/%03d=x", i))
	}
	wantList(t, s, "n/", "", want...)
}

func prefixAndAfter(t *testing.T, s kv.Store) {
	apply(t, s, set("m/a/1", ""), set("t/a/1", ""), set("t/a/2", ""), set("t/a/3", ""), set("t/ab/1", ""), set("u", ""))
	wantList(t, s, "t/a/", "", "t/a/1=", "t/a/2=", "t/a/3=")
	wantList(t, s, "t/a/", "t/a/1", "t/a/2=", "t/a/3=")
	wantList(t, s, "t/a/", "t/a/11", "t/a/2=", "t/a/3=")
	wantList(t, s, "t/a/", "t/a/3")
	wantList(t, s, "t/a/", "z")
	wantList(t, s, "t/a", "a", "t/a/1=", "t/a/2=", "t/a/3=", "t/ab/1=")
	wantList(t, s, "t/a/2", "", "t/a/2=")
	wantList(t, s, "t/a/2", "t/a/2")
	wantList(t, s, "", "t/ab", "t/ab/1=", "u=")
	wantList(t, s, "v", "")
}

// listStops: a caller may leave a listing, and go on behind the last key.
func listStops(t *testing.T, s kv.Store) {
	apply(t, s, set("1", ""), set("2", ""), set("3", ""))
	for e, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key == "2" {
			break
		}
	}
	wantList(t, s, "", "2", "3=")
}

// listAndWrite: writing inside a listing does not block, and each entry that
// was there all the time is seen once.
func listAndWrite(t *testing.T, s kv.Store) {
	var want, got []string
	for i := range 200 {
		apply(t, s, set(fmt.Sprintf("k%03d", i), "x"))
		want = append(want, fmt.Sprintf("k%03d", i))
	}
	for e, err := range s.List(t.Context(), "k", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Key)
		apply(t, s, set("j", e.Key), set("l"+e.Key, ""), set(e.Key, "y"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a listing that runs while keys are written (-want +got):\n%s", diff)
	}
}

func conditions(t *testing.T, s kv.Store) {
	apply(t, s, set("a", "1"), set("empty", ""))
	tests := []struct {
		key   string
		cond  kv.Condition
		holds bool
	}{
		{"none", kv.Absent(), true},
		{"none", kv.Equals([]byte("1")), false},
		{"none", kv.Equals(nil), false},
		{"a", kv.Absent(), false},
		{"a", kv.Equals([]byte("1")), true},
		{"a", kv.Equals([]byte("2")), false},
		{"a", kv.Condition{}, true},
		{"empty", kv.Absent(), false},
		{"empty", kv.Equals([]byte{}), true},
	}
	for i, test := range tests {
		mark := fmt.Sprintf("mark%d", i)
		err := s.Apply(t.Context(), []kv.Change{set(mark, ""), {Key: test.key, Value: []byte("1"), If: test.cond}})
		if test.holds != (err == nil) || (err != nil && !errors.Is(err, kv.ErrConflict)) {
			t.Errorf("test %d: Apply: %v, want success %t", i, err, test.holds)
		}
		if test.holds {
			wantGet(t, s, mark, "")
		} else {
			wantNone(t, s, mark)
		}
		apply(t, s, kv.Change{Key: "none"}, set("a", "1"), set("empty", ""))
	}
	if err := s.Apply(t.Context(), []kv.Change{{Key: "a", If: kv.Equals([]byte("1"))}}); err != nil {
		t.Errorf("deleting what has the value: %v", err)
	}
	wantNone(t, s, "a")
	if err := s.Apply(t.Context(), []kv.Change{{Key: "a", Value: []byte("2"), If: kv.Absent()}}); err != nil {
		t.Errorf("a deleted key is not absent: %v", err)
	}
}

// conditionsInTurn: each condition sees the changes before it.
func conditionsInTurn(t *testing.T, s kv.Store) {
	twice := []kv.Change{{Key: "a", Value: []byte("1"), If: kv.Absent()}, {Key: "a", Value: []byte("2"), If: kv.Absent()}}
	if err := s.Apply(t.Context(), twice); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("two changes of one key that both want it absent: %v", err)
	}
	wantNone(t, s, "a")
	apply(t, s, set("a", "1"), kv.Change{Key: "a", Value: []byte("2"), If: kv.Equals([]byte("1"))})
	wantGet(t, s, "a", "2")
	apply(t, s, kv.Change{Key: "a"}, kv.Change{Key: "a", Value: []byte("3"), If: kv.Absent()})
	wantGet(t, s, "a", "3")
}

func allOrNone(t *testing.T, s kv.Store) {
	apply(t, s, set("last", "taken"))
	var changes []kv.Change
	for i := range 100 {
		changes = append(changes, set(fmt.Sprintf("k%d", i), "x"))
	}
	changes = append(changes, kv.Change{Key: "last", Value: []byte("x"), If: kv.Absent()})
	if err := s.Apply(t.Context(), changes); !errors.Is(err, kv.ErrConflict) {
		t.Fatalf("Apply: %v, want ErrConflict", err)
	}
	wantList(t, s, "", "", "last=taken")
}

// keys: what cannot be a key is refused, and nothing is changed with it.
func keys(t *testing.T, s kv.Store) {
	for _, key := range []string{"", "a\nb", "a\x00", "\x7f", "\xff", strings.Repeat("k", 5000)} {
		if err := s.Apply(t.Context(), []kv.Change{set("good", ""), set(key, "x")}); err == nil {
			t.Errorf("the key %.20q is taken", key)
		}
	}
	wantList(t, s, "", "")
	for _, key := range []string{`"`, `\`, `a"b\c`, `\"`, "t/a/ü", " ", "<&>", "\u2028", strings.Repeat("k", 4000)} {
		apply(t, s, set(key, key))
		wantGet(t, s, key, key)
	}
}

func valuesAreCopied(t *testing.T, s kv.Store) {
	value := []byte("before")
	apply(t, s, kv.Change{Key: "a", Value: value})
	copy(value, "after!")
	wantGet(t, s, "a", "before")
	got, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, set("a", "later!"))
	if string(got) != "before" {
		t.Errorf("a value that was handed out became %q", got)
	}
}

// oneWinner: of many that want a key absent, one gets it, and whoever lost
// finds the winner's value.
func oneWinner(t *testing.T, s kv.Store) {
	const racers = 16
	for round := range 10 {
		key := fmt.Sprintf("race%d", round)
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				mine := fmt.Sprintf("%d", i)
				err := s.Apply(t.Context(), []kv.Change{
					{Key: key, Value: []byte(mine), If: kv.Absent()},
					set(key+"/by/"+mine, ""),
				})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, kv.ErrConflict) {
					t.Errorf("Apply: %v", err)
				}
				if _, err := s.Get(t.Context(), key); err != nil {
					t.Errorf("after the race: Get: %v", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d winners", round, won.Load())
		}
		if got := List(t, s, key+"/by/", ""); len(got) != 1 {
			t.Errorf("round %d: changes of %v were made", round, got)
		}
	}
}

// noUpdateIsLost: counting up by compare and swap from many sides.
func noUpdateIsLost(t *testing.T, s kv.Store) {
	apply(t, s, set("count", "0"))
	const sides, steps = 4, 25
	var all sync.WaitGroup
	for range sides {
		all.Go(func() {
			for range steps {
				if err := countUp(t.Context(), s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	wantGet(t, s, "count", fmt.Sprint(sides*steps))
}

func countUp(ctx context.Context, s kv.Store) error {
	for {
		now, err := s.Get(ctx, "count")
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscan(string(now), &n); err != nil {
			return err
		}
		err = s.Apply(ctx, []kv.Change{{Key: "count", Value: fmt.Append(nil, n+1), If: kv.Equals(now)}})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

// cancelled: a context that ended before the call changes and reads nothing.
func cancelled(t *testing.T, s kv.Store) {
	apply(t, s, set("a", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Apply(ctx, []kv.Change{set("b", "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: %v", err)
	}
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	n := 0
	for _, err := range s.List(ctx, "", "") {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("List: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("List of an ended context yields %d times", n)
	}
	wantNone(t, s, "b")
}
