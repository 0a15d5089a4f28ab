package auth

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Key is what a credential is filed under: a registry, or the repositories
// below a path of one (containers-auth.json(5)).
type Key struct {
	Host string // host or host:port
	Path string // "" for the whole registry
}

// ParseKey reads HOST[:PORT][/PATH]. Of a URL only its host counts, as podman
// has it. Docker Hub is filed under docker.io, whatever it was called.
func ParseKey(s string) (Key, error) {
	if strings.Contains(s, "@") { // what stands before it may be a password
		return Key{}, errors.New("a registry is named by HOST[:PORT][/PATH], without user, password or digest")
	}
	rest, isURL := strings.CutPrefix(s, "https://")
	if !isURL {
		rest, isURL = strings.CutPrefix(s, "http://")
	}
	host, path, _ := strings.Cut(rest, "/")
	if isURL {
		path = ""
	}
	k := Key{Host: host, Path: strings.TrimSuffix(path, "/")}
	if normalHost(host) == dockerHub {
		k.Host = dockerHub
	}
	if err := checkHost(k.Host); err != nil {
		return Key{}, fmt.Errorf("%.300q is not a registry: %w", s, err)
	}
	if k.Path == "" {
		return k, nil
	}
	if err := oci.CheckName(k.Path); err != nil {
		return Key{}, fmt.Errorf("%.300q: %.300q is not the name of a repository: a tag or a digest does not belong here", s, k.Path)
	}
	return k, nil
}

// String returns the key as it stands in a file.
func (k Key) String() string {
	if k.Path == "" {
		return k.Host
	}
	return k.Host + "/" + k.Path
}

// Below reports whether a key is for a part of what another is for, and so wins
// over it there.
func (k Key) Below(other Key) bool {
	return normalHost(k.Host) == normalHost(other.Host) && k.Path != other.Path &&
		(other.Path == "" || strings.HasPrefix(k.Path, other.Path+"/"))
}

// checkHost takes names, IPv4 addresses and IPv6 addresses in brackets, each
// with or without a port.
func checkHost(host string) error {
	name, port := splitPort(host)
	if strings.HasSuffix(host, ":") || port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("%.20q is not a port", port)
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if !closed || net.ParseIP(inner) == nil {
			return fmt.Errorf("%.100q is not an IPv6 address in brackets", name)
		}
		return nil
	}
	if strings.Trim(name, ".-") == "" || strings.TrimLeft(name, hostLetters) != "" {
		return fmt.Errorf("%.100q is not the name of a host", name)
	}
	return nil
}

const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// dockerHub is the name under which all of Docker Hub's host names are kept.
const dockerHub = "docker.io"

// normalHost gives the hosts of Docker Hub one name, as every client does
// (oc.md 5), and lower case to all.
func normalHost(host string) string {
	host = strings.ToLower(host)
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com":
		return dockerHub
	}
	return host
}

// normalKey turns a key of a credential file into "host" or "host/path". A key
// written as a URL stands for its host: old docker clients wrote the path of
// the API there. exact is false for those, which lose against a plain key.
func normalKey(key string) (normal string, exact bool) {
	rest, isURL := strings.CutPrefix(key, "https://")
	if !isURL {
		rest, isURL = strings.CutPrefix(key, "http://")
	}
	host, path, _ := strings.Cut(rest, "/")
	path = strings.Trim(path, "/")
	if isURL || path == "" {
		return normalHost(host), !isURL
	}
	return normalHost(host) + "/" + path, true
}

// lookupKeys lists the keys that serve a repository, the most special first:
// host/a/b, host/a, host.
func lookupKeys(host, repository string) []string {
	host = normalHost(host)
	if host == dockerHub && repository != "" && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	var keys []string
	for path := repository; path != ""; {
		keys = append(keys, host+"/"+path)
		cut := strings.LastIndexByte(path, '/')
		path = path[:max(cut, 0)]
	}
	return append(keys, host)
}

// splitPort splits "host:port", also of IPv6 literals in brackets.
func splitPort(hostport string) (host, port string) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return hostport, ""
	}
	return hostport[:i], hostport[i+1:]
}
