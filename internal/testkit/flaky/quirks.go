package flaky

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// The profiles below are models of real registries after their documentation
// and bug reports, not those registries themselves; each quirk is one refusal
// that a client has to find its way round.

// Quay models a Quay without extended repository names: names of more than two
// parts are refused, and so is cancelling an upload. Its token service takes no
// "delete": see Login.NoDelete.
func Quay() []Quirk {
	return []Quirk{
		refuseIf(func(r *http.Request) bool { return strings.Count(repository(r.URL.Path), "/") > 1 },
			http.StatusUnauthorized, "UNAUTHORIZED", "access to the requested resource is not authorized"),
		refuseIf(func(r *http.Request) bool { return r.Method == http.MethodDelete && isUpload(r) },
			http.StatusForbidden, "DENIED", "requested access to the resource is denied"),
		refuseIf(func(r *http.Request) bool {
			q := r.URL.Query()
			return r.Method == http.MethodPost && q.Has("mount") && !q.Has("from")
		}, http.StatusBadRequest, "UNSUPPORTED", "mount without from"),
	}
}

// Harbor models Harbor: projects must exist, what is not there is UNKNOWN, and
// tags are immutable, also where nothing would change.
func Harbor(projects ...string) []Quirk {
	return []Quirk{noProject(projects), vagueNotFound, immutableTags(http.StatusPreconditionFailed, "PRECONDITION", "configured as immutable"), denseIndex(http.StatusNotFound, "NOT_FOUND", "artifact child not found")}
}

// Artifactory models Artifactory: an upload in one PUT is unknown, a tag may
// not be overwritten and that reads like a bad manifest, the first manifest of
// each tag is called invalid once, and tag lists have digests in them.
func Artifactory() []Quirk {
	return []Quirk{
		signature("X-JFrog-Version", "Artifactory/7.0"), patchOnly, invalidOnce(),
		immutableTags(http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid: HTTP 403"), extraTags(`"sha256:0123"`),
	}
}

// Nexus models Nexus: indexes with absent children are refused, and tag lists
// have nulls in them.
func Nexus() []Quirk {
	return []Quirk{denseIndex(http.StatusBadRequest, "BLOB_UNKNOWN", "blob unknown to registry"), extraTags("null")}
}

// OpenShift models the internal registry's answer to a manifest without a tag.
func OpenShift() []Quirk {
	return []Quirk{refuseIf(func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256:")
	}, http.StatusInternalServerError, "UNKNOWN", `ImageStreamMapping.image.openshift.io "a" is invalid: tag: Required value`)}
}

// MaxBody refuses longer request bodies, as a proxy before a registry does.
func MaxBody(n int64) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > n || r.ContentLength < 0 {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				_, _ = io.WriteString(w, "<html><title>413</title></html>")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func isUpload(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/uploads/") }

func isManifestPut(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
}

func refuseIf(hit func(*http.Request) bool, status int, code, message string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hit(r) {
				Refuse(w, status, code, message)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func noProject(projects []string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			project, _, _ := strings.Cut(repository(r.URL.Path), "/")
			if project != "" && !slices.Contains(projects, project) {
				Refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("project %s not found", project))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// vagueNotFound answers reads of what is not there without a code.
func vagueNotFound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || isUpload(r) {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusNotFound {
			Refuse(w, http.StatusNotFound, "UNKNOWN", "not found")
			return
		}
		replay(w, answer)
	})
}

// replay sends a recorded answer.
func replay(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// immutableTags refuses the second push of a tag.
func immutableTags(status int, code, message string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isManifestPut(r) && !strings.Contains(r.URL.Path, "/manifests/sha256:") {
				head := r.Clone(r.Context())
				head.Method, head.Body = http.MethodHead, http.NoBody
				probe := httptest.NewRecorder()
				next.ServeHTTP(probe, head)
				if probe.Code == http.StatusOK {
					Refuse(w, status, code, message)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// denseIndex refuses an index whose children are not all there.
func denseIndex(status int, code, message string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !isManifestPut(r) {
				next.ServeHTTP(w, r)
				return
			}
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			var index struct{ Manifests []oci.Descriptor }
			_ = json.Unmarshal(body, &index)
			for _, child := range index.Manifests {
				probe := httptest.NewRecorder()
				next.ServeHTTP(probe, httptest.NewRequest(http.MethodHead, "/v2/"+repository(r.URL.Path)+"/manifests/"+child.Digest.String(), nil))
				if probe.Code != http.StatusOK {
					Refuse(w, status, code, message)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func signature(name, value string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			next.ServeHTTP(w, r)
		})
	}
}

// patchOnly knows no upload that ends with content in its PUT.
func patchOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && isUpload(r) && r.ContentLength != 0 {
			Refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// invalidOnce calls the first push to each manifest path invalid.
func invalidOnce() Quirk {
	var mu sync.Mutex
	seen := map[string]bool{}
	first := func(path string) bool {
		mu.Lock()
		defer mu.Unlock()
		was := seen[path]
		seen[path] = true
		return !was
	}
	return refuseIf(func(r *http.Request) bool { return isManifestPut(r) && first(r.URL.Path) },
		http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid: circuit breaker")
}

// extraTags puts something into tag lists that is no tag.
func extraTags(element string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/tags/list") {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			body := strings.Replace(answer.Body.String(), `"tags":[`, `"tags":[`+element+`,`, 1)
			answer.Header().Del("Content-Length")
			answer.Body = bytes.NewBufferString(body)
			replay(w, answer)
		})
	}
}
