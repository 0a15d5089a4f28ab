package remote_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

func TestSuiteAgainstOurServer(t *testing.T) {
	repotest.Run(t, func(t *testing.T) repo.Registry {
		local := registry.New("local", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
		s := httptest.NewServer(server.New(local, server.Options{Now: time.Now}))
		t.Cleanup(s.Close)
		return insecure(strings.TrimPrefix(s.URL, "http://"))
	}, repotest.Features{
		NoResume: true, // sessions end with the PutBlob that opened them
	})
}

func TestSuiteAgainstDockerRegistry(t *testing.T) {
	s := peer.DockerRegistry(t, peer.RegistryOptions{})
	repotest.Run(t, func(*testing.T) repo.Registry { return insecure(s.Addr) }, repotest.Features{
		NoResume: true, NoNames: true, NoForeign: true, NoSHA512: true, NoSparse: true, NoAnyType: true, NoDelete: true, NoDeleteTag: true,
	})
}

func insecure(host string) *remote.Registry {
	return remote.New(remote.Options{Now: time.Now, Insecure: true}).Registry(host)
}
