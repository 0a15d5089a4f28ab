package remote_test

import (
	"encoding/base64"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func descriptor(mediaType string, content []byte) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, oci.FromBytes(content), len(content))
}
