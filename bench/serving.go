//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// Sizes of what is served, in bytes.
const (
	smallBlob = 4 << 10
	largeBlob = 100_000_000
)

// serving is what the three servers of s7 serve, and where.
type serving struct {
	files      string // directory with manifest, small and large
	image      *sample.Image
	small      sample.Blob
	large      sample.Blob
	ours, bare string // host:port
	nginx      string
	wrk        string
}

// s7: serving, measured with wrk against a bare handler and nginx.
func s7(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.scratch, "serving-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := sample.New(7)
	v := &serving{files: filepath.Join(dir, "files"), small: m.Layer(smallBlob), large: m.Layer(largeBlob)}
	v.image = sample.NewImage(sample.ImageSpec{Format: sample.Docker, Layers: []sample.Blob{v.small, v.large}})
	if v.wrk, err = peer.Find("wrk"); err != nil {
		return err
	}
	stop, err := b.startServing(ctx, v, dir)
	defer stop()
	if err != nil {
		return err
	}
	return b.rate(v)
}

// startServing starts the three servers. stop ends those that were started.
func (b *bench) startServing(ctx context.Context, v *serving, dir string) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	ours, err := ourServer(b, dir)
	if err != nil {
		return stop, err
	}
	stops, v.ours = append(stops, ours.stop), ours.addr
	if err := v.upload(ctx); err != nil {
		return stop, err
	}
	if err := v.write(ctx); err != nil {
		return stop, err
	}
	bare := exec.Command(b.self, "bare", v.files)
	if v.bare, err = startAndFind(bare, "bare handler"); err != nil {
		return stop, err
	}
	stops = append(stops, func() { kill(bare) })
	nginx, err := startNginx(dir, v)
	if err != nil {
		return stop, err
	}
	stops = append(stops, func() { kill(nginx) })
	return stop, nil
}

// upload pushes the image to our server.
func (v *serving) upload(ctx context.Context) error {
	w := newWire(v.ours)
	for _, blob := range v.image.Blobs {
		r, err := blob.Open(ctx, 0)
		if err != nil {
			return err
		}
		if err := w.putBlob(ctx, blob.Desc, r); err != nil {
			return err
		}
	}
	return pushManifests(ctx, w, []sample.TaggedImage{{Tag: "v1", Image: v.image}})
}

// write puts the same bytes into files for the other two servers.
func (v *serving) write(ctx context.Context) error {
	if err := os.Mkdir(v.files, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(v.files, "manifest"), v.image.Body, 0o644); err != nil {
		return err
	}
	e := end{dir: v.files}
	for name, blob := range map[string]sample.Blob{"small": v.small, "large": v.large} {
		r, err := blob.Open(ctx, 0)
		if err != nil {
			return err
		}
		if err := e.writeFile(blob.Desc.Digest, r); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(v.files, blob.Desc.Digest.Hex()), filepath.Join(v.files, name)); err != nil {
			return err
		}
	}
	return nil
}

// rate runs wrk over the servers in turn.
func (b *bench) rate(v *serving) error {
	base := "http://" + v.ours + "/v2/" + repository
	for _, c := range []struct {
		what, ours, other, name, unit string
		goal                          float64
	}{
		{"manifest by tag", base + "/manifests/v1", "http://" + v.bare + "/manifest", "bare handler", requestsPerSecond, 0.75},
		{"manifest by digest", base + "/manifests/" + v.image.Desc.Digest.String(), "http://" + v.bare + "/manifest", "bare handler", requestsPerSecond, 0.75},
		{"blob of 4 KiB", base + "/blobs/" + v.small.Desc.Digest.String(), "http://" + v.bare + "/small", "bare handler", requestsPerSecond, 0.55},
		{"blob of 100 MB", base + "/blobs/" + v.large.Desc.Digest.String(), "http://" + v.nginx + "/large", "nginx", bytesPerSecond, 0.9},
	} {
		var ratios, rates []float64
		for range b.rounds {
			other, err := wrk(v.wrk, c.other, c.unit)
			if err != nil {
				return err
			}
			ours, err := wrk(v.wrk, c.ours, c.unit)
			if err != nil {
				return err
			}
			ratios, rates = append(ratios, ours/other), append(rates, ours)
		}
		printAtLeast(fmt.Sprintf("%s, %.0f %s, / %s", c.what, spreadOf(rates).median, c.unit, c.name), spreadOf(ratios), c.goal)
	}
	return nil
}

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	transfer  = regexp.MustCompile(`Transfer/sec:\s+([0-9.]+[KMG]?B)`)
)

// The units of a rate. Bytes are compared for large blobs, of which only a few are complete
// when the time is up; small answers are counted.
const (
	requestsPerSecond = "requests/s"
	bytesPerSecond    = "MB/s"
)

// wrk returns a rate, and fails where an answer was no success.
func wrk(program, url, unit string) (float64, error) {
	out, err := exec.Command(program, "-t2", "-c16", "-d4s", "-H", "Accept: "+oci.MediaTypeDockerManifest, url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk %s: %w: %s", url, err, tail(out))
	}
	requests, moved := perSecond.FindSubmatch(out), transfer.FindSubmatch(out)
	if requests == nil || moved == nil || bytes.Contains(out, []byte("Non-2xx")) {
		return 0, fmt.Errorf("wrk %s: %s", url, tail(out))
	}
	if unit == bytesPerSecond {
		return megabytes(string(moved[1]))
	}
	return strconv.ParseFloat(string(requests[1]), 64)
}

// megabytes reads a size as wrk prints it: 1.50GB, with 1024 to the step.
func megabytes(s string) (float64, error) {
	for unit, factor := range map[string]float64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseFloat(number, 64)
			return n * factor / 1e6, err
		}
	}
	return 0, fmt.Errorf("wrk printed a size of %q", s)
}

// bareMain is the handler that ours is compared with: the same bytes and
// headers from memory, with net/http and nothing else.
func bareMain(args []string) error {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	if err := flags.Parse(args); err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, name := range []string{"manifest", "small"} {
		body, err := os.ReadFile(filepath.Join(flags.Arg(0), name))
		if err != nil {
			return err
		}
		digest := oci.FromBytes(body).String()
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", oci.MediaTypeDockerManifest)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Header().Set("Docker-Content-Digest", digest)
			_, _ = w.Write(body) // the client is gone: nobody to tell
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	return http.Serve(l, mux)
}

// startNginx serves the files with Debian's nginx at its best: two workers that
// share the connections evenly (reuseport), sendfile.
func startNginx(dir string, v *serving) (*exec.Cmd, error) {
	program, err := peer.Find("nginx")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v.nginx = l.Addr().String()
	l.Close() // nginx cannot be given port 0
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; worker_processes 2; pid %[1]s/nginx.pid; error_log stderr notice; user root;
events {}
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  server { listen %[2]s reuseport; root %[3]s; }
}
`, dir, v.nginx, v.files)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-p", dir, "-c", config)
	return cmd, startAndWait(cmd, regexp.MustCompile(`start worker process [0-9]+`))
}

var errNotListening = errors.New("ended before it listened")
