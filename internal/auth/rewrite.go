package auth

import (
	"fmt"
	"os"
)

// Rewrite replaces the content of a file that is there, whole and durably. The
// file keeps its mode and its owner, and a symbolic link stays one.
func Rewrite(path string, data []byte) error {
	target, err := followLinks(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := replace(target, data); err != nil {
		return err
	}
	return os.Chmod(target, info.Mode().Perm())
}
