package cas_test

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/cas/castest"
)

func TestMem(t *testing.T) {
	castest.Run(t, func(*testing.T) cas.Store { return cas.Mem() })
}
