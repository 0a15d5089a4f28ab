package cli

import "testing"

func TestWrapFlags(t *testing.T) {
	const text = `Use:
  airbridge x [flags] and what comes after it, which stays however long it is

Flags:
  -q, --quiet        print results, warnings and errors only, and nothing else
      --to string    where
  -h, --help         help for x
`
	const beside = `Use:
  airbridge x [flags] and what comes after it, which stays however long it is

Flags:
  -q, --quiet        print results, warnings and errors only,
                     and nothing else
      --to string    where
  -h, --help         help for x
`
	const under = `Use:
  airbridge x [flags] and what comes after it, which stays however long it is

Flags:
  -q, --quiet
          print results, warnings and
          errors only, and nothing
          else
      --to string
          where
  -h, --help
          help for x
`
	for columns, want := range map[int]string{200: text, 61: beside, 38: under} {
		if got := wrapFlags(text, columns); got != want {
			t.Errorf("%d columns:\n%s", columns, got)
		}
	}
}
