package cli

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/graph"
)

func TestWebTrustsTheAuthorityOfTheFlag(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"nodes":[]}`)) }))
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	fetch := func(r *registryFlags) error {
		transport, err := r.web()
		if err != nil {
			return err
		}
		u, err := graph.ParseURL(srv.URL)
		if err != nil {
			return err
		}
		_, err = graph.API{URL: u, Transport: transport}.Fetch(t.Context(), "stable-4.14", "amd64")
		return err
	}
	if err := fetch(&registryFlags{authority: ca}); err != nil {
		t.Error(err)
	}
	err := fetch(&registryFlags{insecure: true})
	if err == nil || !graphUnverified(err) {
		t.Errorf("an unknown authority: %v", err)
	}
	if err := os.WriteFile(ca, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fetch(&registryFlags{authority: ca}) == nil || fetch(&registryFlags{authority: ca + "x"}) == nil {
		t.Error("a file without certificate is taken")
	}
}
