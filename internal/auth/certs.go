package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Certs are what a certs.d directory holds for one host (containers-certs.d(5)).
type Certs struct {
	CAs   [][]byte          // PEM files, to be added to the other roots
	Pairs []tls.Certificate // client certificates with their keys
}

// CertDirs are the three usual directories, in the order in which they are
// read. home may be "".
func CertDirs(home string) []string {
	dirs := []string{"/etc/containers/certs.d"}
	if home != "" {
		dirs = append(dirs, filepath.Join(home, ".config", "containers", "certs.d"))
	}
	return append(dirs, "/etc/docker/certs.d")
}

// LoadCerts reads DIR/host[:port]/ of each directory: *.crt are authorities,
// *.cert with the *.key of the same name are client certificates. What is not
// there is no error; a file that cannot be used is one, naming it.
func LoadCerts(dirs []string, host string) (Certs, error) {
	var c Certs
	if host == "" || strings.ContainsAny(host, `/\`) || host[0] == '.' {
		return c, nil
	}
	for _, dir := range dirs {
		if err := c.read(filepath.Join(dir, host)); err != nil {
			return Certs{}, err
		}
	}
	return c, nil
}

func (c *Certs) read(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading certificates: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		switch filepath.Ext(f.Name()) {
		case ".crt":
			err = c.addCA(path)
		case ".cert":
			err = c.addPair(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Certs) addCA(path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading certificates: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("reading certificates: %s holds no PEM certificate", path)
	}
	c.CAs = append(c.CAs, pem)
	return nil
}

func (c *Certs) addPair(path string) error {
	key := strings.TrimSuffix(path, ".cert") + ".key"
	pair, err := tls.LoadX509KeyPair(path, key)
	if err != nil {
		return fmt.Errorf("reading client certificate %s: %w", path, err)
	}
	c.Pairs = append(c.Pairs, pair)
	return nil
}
