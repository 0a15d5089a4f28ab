package auth

import "strings"

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
