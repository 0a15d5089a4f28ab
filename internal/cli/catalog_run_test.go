package cli

import "testing"

// A label of an image is printed in a line that scripts look for.
func TestTold(t *testing.T) {
	for name, want := range map[string]string{
		"/configs/": "/configs/",
		"/c\x1b[2J": `/c\x1b[2J`,
		"/c\nwrote mirroring manifests to /etc\n": "/c wrote mirroring manifests to /etc",
	} {
		if got := told(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}
