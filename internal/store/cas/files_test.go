package cas_test

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/cas/castest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

func onDisk(t *testing.T) fsys.FS {
	t.Helper()
	f, err := fsys.OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiles(t *testing.T) {
	castest.Run(t, func(t *testing.T) cas.Store { return cas.FS(onDisk(t)) })
}
