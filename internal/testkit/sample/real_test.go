package sample_test

import (
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// push puts an image into a docker-registry and returns its reference there.
func push(t *testing.T, im *sample.Image) string {
	t.Helper()
	s := peer.DockerRegistry(t, peer.RegistryOptions{})
	to, err := remote.New(remote.Options{Insecure: true, Now: time.Now}).Registry(s.Addr).Repo("team/app")
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Push(t.Context(), to, "v1"); err != nil {
		t.Fatal(err)
	}
	return "docker://" + s.Addr + "/team/app:v1"
}

// With --dest-decompress skopeo has to unpack each layer, so that it would
// notice a gzip stream that is none.
func TestSkopeoReadsSamples(t *testing.T) {
	skopeo := peer.Need(t, "skopeo")
	for _, format := range []sample.Format{sample.OCI, sample.Docker} {
		m := sample.New(5)
		amd := sample.NewImage(sample.ImageSpec{Format: format, Layers: []sample.Blob{m.Layer(10), m.Layer(100_000)}})
		arm := sample.NewImage(sample.ImageSpec{Format: format, Platform: sample.ARM64, Layers: []sample.Blob{m.Layer(10)}})
		from := push(t, sample.NewIndex(format, amd, arm))
		run(t, skopeo, "--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-decompress", from, "dir:"+t.TempDir())
		var got struct {
			Architecture string
			Layers       []oci.Digest
		}
		out := run(t, skopeo, "inspect", "--tls-verify=false", "--override-arch", "arm64", from)
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if got.Architecture != "arm64" || len(got.Layers) != 1 || got.Layers[0] != arm.Blobs[1].Desc.Digest {
			t.Errorf("skopeo sees %+v", got)
		}
	}
}

func run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return out
}
