package remote

import (
	"net/http"
	"net/url"
	"strings"
)

// kind is the product that a registry is, as far as it says so itself by its
// challenge and its headers; "" for one that does not.
type kind string

// The products whose ways differ from the specification (peers.md 3).
const (
	kindArtifactory kind = "Artifactory"
	kindECR         kind = "Amazon ECR"
	kindGitLab      kind = "GitLab"
	kindHarbor      kind = "Harbor"
	kindHub         kind = "Docker Hub"
	kindNexus       kind = "Nexus"
	kindOpenShift   kind = "OpenShift"
	kindQuay        kind = "Quay"
)

// kindOf recognises a product by its answer at the base of the API.
func kindOf(host string, header http.Header) kind {
	if host == apiHost("docker.io") {
		return kindHub
	}
	if isECR(host) {
		return kindECR
	}
	for _, c := range parseChallenges(header) {
		if k := kindOfChallenge(c); k != "" {
			return k
		}
	}
	switch {
	case isArtifactory(header):
		return kindArtifactory
	case strings.HasPrefix(header.Get("Server"), "Nexus/"):
		return kindNexus
	}
	return ""
}

func kindOfChallenge(c challenge) kind {
	switch c.params["service"] {
	case "harbor-registry":
		return kindHarbor
	case "container_registry":
		return kindGitLab
	case "ecr.amazonaws.com", "public.ecr.aws":
		return kindECR
	}
	if c.params["realm"] == "Sonatype Nexus Repository Manager" {
		return kindNexus
	}
	realm, err := url.Parse(c.params["realm"])
	if err != nil {
		return ""
	}
	switch realm.Path {
	case "/v2/auth":
		return kindQuay
	case "/openshift/token":
		return kindOpenShift
	}
	return ""
}

func isArtifactory(h http.Header) bool {
	return h.Get("X-JFrog-Version") != "" || h.Get("X-Artifactory-Id") != "" || strings.HasPrefix(h.Get("Server"), "Artifactory")
}

// isECR recognises the host names of private registries, in all partitions, and
// of the public one.
func isECR(host string) bool {
	name := hostOnly(host)
	return name == "public.ecr.aws" || strings.Contains(name, ".dkr.ecr") && strings.Contains(name, ".amazonaws.com")
}

// kind is what the host has shown itself to be by now.
func (h *host) kind() kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.product
}

// recognise keeps what the first answer tells of the product, and what follows
// from it for all further requests.
func (h *host) recognise(header http.Header) {
	k := kindOf(h.name, header)
	h.mu.Lock()
	h.product = k
	h.mu.Unlock()
	switch k {
	case kindOpenShift:
		h.internal.Store(true)
	case kindArtifactory: // it takes no upload in one PUT (buildx issue 196)
		h.chunk.CompareAndSwap(0, wholeChunk)
	}
}

// checksChildren reports products that take no list before the images that it
// names, and so none from which a filter has left some out.
func (k kind) checksChildren() bool {
	switch k {
	case kindECR, kindGitLab, kindHarbor, kindNexus:
		return true
	}
	return false
}
