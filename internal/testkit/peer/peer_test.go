package peer_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// status asks a server for /v2/ with an account, none if user is "".
func status(t *testing.T, s *peer.Server, user, password string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr+"/v2/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestDockerRegistryAnswers(t *testing.T) {
	s := peer.DockerRegistry(t, peer.RegistryOptions{})
	if got := status(t, s, "", ""); got != http.StatusOK {
		t.Errorf("status %d, want 200", got)
	}
}

func TestDockerRegistryAsksForTheAccount(t *testing.T) {
	s := peer.DockerRegistry(t, peer.RegistryOptions{Auth: true})
	for _, c := range []struct {
		user, password string
		want           int
	}{
		{"", "", http.StatusUnauthorized},
		{peer.User, "wrong", http.StatusUnauthorized},
		{peer.User, peer.Password, http.StatusOK},
	} {
		if got := status(t, s, c.user, c.password); got != c.want {
			t.Errorf("user %q password %q: status %d, want %d", c.user, c.password, got, c.want)
		}
	}
}

func TestStoppedServerIsGone(t *testing.T) {
	peer.Need(t, "docker-registry")
	s, err := peer.StartDockerRegistry(t.TempDir(), peer.RegistryOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := http.Get("http://" + s.Addr + "/v2/"); err == nil {
		t.Error("a stopped server answered")
	}
}

func TestBadStorageIsReported(t *testing.T) {
	peer.Need(t, "docker-registry")
	s, err := peer.StartDockerRegistry("/dev/null", peer.RegistryOptions{Dir: t.TempDir()})
	if err == nil {
		s.Stop()
		t.Fatal("a server started without a place for its configuration")
	}
}

func TestToolRuns(t *testing.T) {
	out, err := exec.Command(peer.Tool(t, "crane"), "version").CombinedOutput()
	if err != nil {
		t.Fatalf("crane version: %v: %s", err, out)
	}
}

// fakeTB records how a test would end.
type fakeTB struct {
	testing.TB
	skipped, failed string
}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Skip(args ...any)          { f.skipped = args[0].(string) }
func (f *fakeTB) Fatalf(_ string, a ...any) { f.failed = a[0].(string) }

func TestMissingSkipsAtHomeAndFailsInCI(t *testing.T) {
	t.Setenv("CI", "")
	home := &fakeTB{}
	peer.Need(home, "no-such-program")
	if !strings.Contains(home.skipped, "Debian package no-such-program") || home.failed != "" {
		t.Errorf("at home: skipped %q, failed %q", home.skipped, home.failed)
	}
	t.Setenv("CI", "true")
	ci := &fakeTB{}
	peer.Need(ci, "no-such-program")
	if ci.failed == "" || ci.skipped != "" {
		t.Errorf("in CI: skipped %q, failed %q", ci.skipped, ci.failed)
	}
}

func TestUnknownToolIsMissing(t *testing.T) {
	if _, err := peer.BuildTool("no-such-tool"); err == nil {
		t.Error("a tool that is not pinned was found")
	}
}
