//go:build unix

package auth_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// What root changes for a user stays the user's; a file that somebody put into
// a directory of root gets no secrets for its owner.
func TestRootLeavesFilesToTheirOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user = 4711
	for dirOwner, want := range map[int]uint32{user: user, 0: 0} {
		dir := t.TempDir()
		k := auth.Keeper{Path: filepath.Join(dir, "auth.json")}
		if err := os.WriteFile(k.Path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(k.Path, user, user); err != nil {
			t.Skip(err)
		}
		if err := os.Chown(dir, dirOwner, 0); err != nil {
			t.Skip(err)
		}
		if _, err := k.Keep(t.Context(), key(t, "a.example"), auth.Credential{Username: "u", Password: "p"}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(k.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("in a directory of %d the file belongs to %d, want %d", dirOwner, got, want)
		}
	}
}
