package flaky

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The accounts of every profile: both have the password Password.
const (
	Pusher   = "pusher"
	Reader   = "reader"
	Password = "pw"
)

// Profile returns a model of a whole product: its token service, what it says
// of itself, its rights and its refusals (peers.md 3). exist are what has been
// made in it before: projects of harbor and gitlab, organisations of quay,
// repositories of ecr.
func Profile(name string, exist ...string) (Options, error) {
	switch name {
	case "quay":
		return Options{Login: quayLogin(exist), Quirks: Quay()}, nil
	case "harbor":
		return Options{Login: harborLogin(exist), Quirks: Harbor(exist...)}, nil
	case "artifactory":
		return Options{Login: artifactoryLogin(), Quirks: Artifactory()}, nil
	case "nexus":
		return Options{Login: nexusLogin(), Quirks: Nexus()}, nil
	case "openshift":
		return Options{Login: openshiftLogin(), Quirks: OpenShift()}, nil
	case "ecr":
		return Options{Login: ecrLogin(), Quirks: ECR(exist...)}, nil
	case "gitlab":
		return Options{Login: gitlabLogin(exist), Quirks: GitLab()}, nil
	}
	return Options{}, fmt.Errorf("no profile %q", name)
}

// quayLogin refuses nested names at its token service, and makes repositories
// for those who may in the organisations that there are.
func quayLogin(organisations []string) *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader, Bearer: true, NoDelete: true,
		Product: Product{
			Path: "/v2/auth", Service: "quay.example.com", JWT: true,
			Name: func(name string) (code, message string) {
				if strings.Count(name, "/") > 1 {
					return "NAME_INVALID", "Nested repositories are not supported. Found: " + name
				}
				return "", ""
			},
			Grant: func(reader bool, name string, actions []string) []string {
				switch organisation, _, _ := strings.Cut(name, "/"); {
				case !slices.Contains(organisations, organisation):
					return nil
				case reader:
					return onlyPull(actions)
				}
				return actions
			},
			Denied: func(w http.ResponseWriter, _ *http.Request) {
				Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "access to the requested resource is not authorized")
			},
		},
	}
}

// harborLogin grants nothing where there is no project, says so in its own
// words, and takes Basic as well.
func harborLogin(projects []string) *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader, Bearer: true,
		Product: Product{
			Path: "/service/token", Service: "harbor-registry", JWT: true, Also: true,
			Grant: func(reader bool, name string, actions []string) []string {
				project, _, _ := strings.Cut(name, "/")
				switch {
				case !slices.Contains(projects, project):
					return nil
				case reader:
					return onlyPull(actions)
				}
				return actions
			},
			Denied: func(w http.ResponseWriter, r *http.Request) {
				name := repository(r.URL.Path)
				if project, _, _ := strings.Cut(name, "/"); !slices.Contains(projects, project) {
					w.Header().Set("WWW-Authenticate", "")
					Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "project "+project+" not found")
					return
				}
				w.Header().Set("WWW-Authenticate", `Basic realm="harbor"`)
				Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized to access repository: "+name+", action: push")
			},
		},
	}
}

func artifactoryLogin() *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader,
		Product: Product{Service: "Artifactory Realm", Header: http.Header{"X-Jfrog-Version": {"Artifactory/7.77.5"}}},
	}
}

func openshiftLogin() *Login {
	return &Login{User: Pusher, Password: Password, Reader: Reader, Bearer: true, Product: Product{Path: "/openshift/token"}}
}

// nexusLogin is Nexus's default, Basic, which answers 401 also where it is the
// right that is missing.
func nexusLogin() *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader,
		Product: Product{
			Challenge: `BASIC realm="Sonatype Nexus Repository Manager"`,
			Header:    http.Header{"Server": {"Nexus/3.70.1-02 (OSS)"}},
			Denied: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `BASIC realm="Sonatype Nexus Repository Manager"`)
				Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "access to the requested resource is not authorized")
			},
		},
	}
}

// ecrAccount is the account in ECR's messages.
const ecrAccount = "123456789012"

// ecrChallenge names the service.
const ecrChallenge = `Basic realm="https://` + ecrAccount + `.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"`

// ecrLogin is Basic; the right to push is a policy's.
func ecrLogin() *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader,
		Product: Product{
			Challenge: ecrChallenge,
			Denied: func(w http.ResponseWriter, r *http.Request) {
				Refuse(w, http.StatusForbidden, "DENIED", fmt.Sprintf("User: arn:aws:iam::%s:user/%s is not authorized to perform: "+
					"ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-east-1:%[1]s:repository/%[3]s because no identity-based policy allows "+
					"the ecr:InitiateLayerUpload action", ecrAccount, Reader, repository(r.URL.Path)))
			},
		},
	}
}

// ECR models Amazon's registry: repositories have to be made first, and a push
// to one that is not there ends without an answer; blobs are not mounted,
// uploads cannot be cancelled, of the chunks of an upload only the first is
// kept; lists need their images, OCI manifests their media type; there are no
// referrers, and lists of tags have at most 1000.
func ECR(repositories ...string) []Quirk {
	return []Quirk{
		noRepository(repositories), noMounts, noReferrers, firstChunkOnly(),
		refuseIf(func(r *http.Request) bool { return r.Method == http.MethodDelete && isUpload(r) }, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."),
		refuseIf(func(r *http.Request) bool { n := r.URL.Query().Get("n"); return len(n) > 3 && n != "1000" }, http.StatusBadRequest, "UNSUPPORTED", "Invalid parameter at 'maxResults'"),
		denseIndex(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "Images with digests required for pushing image into repository do not exist"),
		named,
	}
}

// noRepository knows some repositories and makes none.
func noRepository(known []string) Quirk {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := repository(r.URL.Path)
			switch {
			case name == "" || slices.Contains(known, name):
				next.ServeHTTP(w, r)
			case r.Method == http.MethodPost:
				closeConn(w)
			default:
				Refuse(w, http.StatusNotFound, "NAME_UNKNOWN", fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", name, ecrAccount))
			}
		})
	}
}

// noMounts starts an upload where a mount was asked for.
func noMounts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isUpload(r) && r.URL.Query().Has("mount") {
			r = r.Clone(r.Context())
			r.URL.RawQuery = ""
		}
		next.ServeHTTP(w, r)
	})
}

// noReferrers has not the API of specification 1.1, and its answers do not say
// that a manifest was listed.
func noReferrers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(&headerWriter{ResponseWriter: w, name: "OCI-Subject"}, r)
	})
}

// firstChunkOnly answers each PATCH with 201 and throws the content of all but
// the first away.
func firstChunkOnly() Quirk {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPatch {
				next.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			again := seen[r.URL.Path]
			seen[r.URL.Path] = true
			mu.Unlock()
			if again {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Location", r.URL.RequestURI())
				w.WriteHeader(http.StatusCreated)
				return
			}
			next.ServeHTTP(&recoded{ResponseWriter: w, from: http.StatusAccepted, to: http.StatusCreated}, r)
		})
	}
}

// recoded answers with another status.
type recoded struct {
	http.ResponseWriter
	from, to int
}

func (w *recoded) WriteHeader(status int) {
	if status == w.from {
		status = w.to
	}
	w.ResponseWriter.WriteHeader(status)
}

// gitlabLogin grants nothing where a name is not that of a project with two
// further parts at most; it says neither why nor that it did.
func gitlabLogin(projects []string) *Login {
	return &Login{
		User: Pusher, Password: Password, Reader: Reader, Bearer: true,
		Product: Product{
			Path: "/jwt/auth", Service: "container_registry", JWT: true,
			Grant: func(reader bool, name string, actions []string) []string {
				if !slices.ContainsFunc(projects, func(p string) bool { return inGitLabProject(name, p) }) {
					return nil
				}
				if reader {
					return onlyPull(actions)
				}
				return actions
			},
			Wrong: func(w http.ResponseWriter) {
				Refuse(w, http.StatusForbidden, "DENIED", "access forbidden")
			},
		},
	}
}

var gitlabName = regexp.MustCompile(`^[a-z0-9]+(([._/]|__|-*)[a-z0-9])*$`)

// inGitLabProject reports whether a name belongs to a project.
func inGitLabProject(name, project string) bool {
	rest, below := strings.CutPrefix(name, project+"/")
	return gitlabName.MatchString(name) && (name == project || below && strings.Count(rest, "/") < 2)
}

// GitLab models GitLab's registry behind its token service: blobs are not
// mounted, lists need their images, and there are no referrers.
func GitLab() []Quirk {
	return []Quirk{
		refuseIf(func(r *http.Request) bool { return isUpload(r) && r.URL.Query().Has("mount") }, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"),
		denseIndex(http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"), noReferrers,
	}
}

// named refuses manifests without a mediaType of their own.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isManifestPut(r) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			var m struct{ MediaType string }
			if json.Unmarshal(body, &m) != nil || m.MediaType == "" {
				Refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
