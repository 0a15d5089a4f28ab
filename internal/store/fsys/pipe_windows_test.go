package fsys_test

import (
	"os"
	"testing"
)

// makePipe makes a directory: no pipe can lie in one here.
func makePipe(t *testing.T, path string) {
	t.Helper()
	must(t, os.Mkdir(path, 0o755))
}
