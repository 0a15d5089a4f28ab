package installconfig

import (
	"fmt"
	"strings"
)

// KeyFor returns the field for the mirrors of an OpenShift version, as 4.14.3:
// DigestSources from 4.14 on, where the installer learned it, ContentSources
// before. It is not ok for what is no version.
func KeyFor(version string) (key string, ok bool) {
	var major, minor int
	if n, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &major, &minor); err != nil || n != 2 {
		return "", false
	}
	if major > 4 || major == 4 && minor >= 14 {
		return DigestSources, true
	}
	return ContentSources, true
}
