package cli

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/signature"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Hints that scripts cannot provoke, or only slowly.
func TestHints(t *testing.T) {
	refused := func(op string) error {
		return &url.Error{Op: "Get", URL: "https://a/v2/", Err: &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNREFUSED}}
	}
	for want, err := range map[string]error{
		"the proxy does not answer":              refused("proxyconnect"),
		"nothing listens there":                  refused("dial"),
		"the certificate is for other names":     &url.Error{Op: "Get", Err: x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"b"}}, Host: "a"}},
		"renew the certificate":                  &url.Error{Op: "Get", Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"name the registry's authority":          &url.Error{Op: "Get", Err: x509.UnknownAuthorityError{}},
		"take the file from another copy":        &kv.CorruptError{Path: "x", Line: 3, Reason: "y"},
		"--no-signatures copies the images":      &repo.Error{Op: mirror.OpAttached, Side: repo.SideSource, Err: errors.New("500 Internal Server Error")},
		"without what is attached to them":       engine.ErrUnsigned,
		"the signature stores' certificate":      &signature.UnreachableError{Stores: []signature.StoreError{{Store: "https://a", Err: x509.UnknownAuthorityError{}}}},
		"add --insecure":                         errors.Join(errors.New("2 of 2 images failed"), summed{errors.New("the registry does not speak TLS")}),
		"image info REPOSITORY shows":            &repo.Error{Op: mirror.OpReadCatalog, Side: repo.SideSource, Err: oci.ErrManifestUnknown},
		"store ls shows":                         &repo.Error{Op: mirror.OpReadCatalog, Side: repo.SideSource, Ref: "file://local/index:v1", Err: oci.ErrManifestUnknown},
		"this user may not read":                 fmt.Errorf("unable to load --registry-config: %w", &fs.PathError{Op: "open", Path: "a.json", Err: fs.ErrPermission}),
		"may write with --to-manifests":          errors.Join(manifestsError(&fs.PathError{Op: "mkdir", Path: "m", Err: fs.ErrPermission}), errors.New("and more")),
		"this user may write with":               manifestsError(&fs.PathError{Op: "mkdir", Path: "m", Err: syscall.EROFS}),
		"name another LOCAL_DIR with --path":     &mirror.CatalogDirError{Dir: "configs", Err: &fs.PathError{Op: "mkdir", Path: "configs/x", Err: fs.ErrPermission}},
		"may write, with TMPDIR":                 &mirror.CatalogDirError{Err: &fs.PathError{Op: "mkdir", Path: "/tmp/x", Err: fs.ErrPermission}},
		"the disk is full":                       &mirror.CatalogDirError{Err: syscall.ENOSPC},
		"choose another port with --addr":        &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)},
		"check the name; a shell variable":       &fs.PathError{Op: "open", Path: "/media/disk", Err: fs.ErrNotExist},
		"the work itself is done":                (&resultWriter{err: errors.New("broken pipe")}).failure(),
		"this is airbridge under the name of oc": &unknownCommandError{name: "get", asOC: true},
		"the next oc on the PATH is /usr/bin/oc": &unknownCommandError{name: "get", asOC: true, next: "/usr/bin/oc"},
		"did you mean airbridge image mirror?":   &unknownCommandError{name: "image mirorr", suggestion: "airbridge image mirror"},
	} {
		got := (&App{Args: []string{"airbridge"}}).hint(fmt.Errorf("reading a: %w", err))
		if !strings.Contains(got, want) {
			t.Errorf("%v\nhas the hint %q, want %q", err, got, want)
		}
	}
}

// summed is a sum of failures, as of several images, that does not quote them.
type summed struct{ error }

func (summed) Error() string     { return "one or more errors occurred" }
func (s summed) Unwrap() []error { return []error{s.error} }

func TestErrorsDoNotSteerTheTerminal(t *testing.T) {
	var errs bytes.Buffer
	a := &App{Stderr: &errs}
	a.tell(&cobra.Command{}, &hinted{errors.New("open a\x1b[2Jb"), "name c\x1b[2Jd"})
	if got, want := errs.String(), "error: open a\\x1b[2Jb\nhint: name c\\x1b[2Jd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
