package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Reason is why a registry takes no push, in words.
type Reason string

// The reasons that registries have (peers.md 3). Each calls for another step.
const (
	// NestedName is a name of more than two parts at Quay or Docker Hub.
	NestedName Reason = "the registry takes no repository names of more than two parts"
	// NestedOrNoRight is NestedName or NoRight, where the answer does not tell.
	NestedOrNoRight Reason = "the account may not push there, or the registry takes no repository names of more than two parts"
	// NoGitLabProject is a name that GitLab knows no project for: none is there,
	// the account cannot see it, or it is more than two parts above.
	NoGitLabProject Reason = "GitLab has no project for this name that the account may use: a name is the path of a project and two parts at most"
	// NoProject is a project, Harbor's first part of a name, that is not there.
	NoProject Reason = "the project does not exist in the registry"
	// NoRepository is a repository that a push does not make.
	NoRepository Reason = "the repository does not exist in the registry, which makes none when images are pushed"
	// NoRight is an account that is known there and may not push.
	NoRight Reason = "the account may not push there"
	// FixedTag is a tag that may not be moved to another image.
	FixedTag Reason = "the registry has another image under this tag and does not let it be moved"
	// NoQuota is a project or organisation that is full.
	NoQuota Reason = "the quota there is used up"
	// Frozen is a registry that takes no pushes at all for the time being.
	Frozen Reason = "the registry is in read-only mode"
	// Unnamed is an OCI manifest without a mediaType of its own, at ECR.
	Unnamed Reason = "the registry takes no manifest that does not name its own media type"
)

// PushError is a push that a registry refuses for a known reason. It matches
// what Err matches.
type PushError struct {
	Reason Reason
	Host   string   // of the registry
	Repos  []string // the repositories for which this is so, one at least
	Err    error    // what the registry answered for the first

	kind kind
	from string // the repository of which it was answered, where it is another one
}

// Error implements error: the reason, the repositories if they are several, and
// the registry's own words.
func (e *PushError) Error() string {
	s := string(e.Reason)
	if others := e.others(); len(others) > 0 {
		s += " (the same goes for " + strings.Join(others[:min(len(others), 3)], ", ")
		if len(others) > 3 {
			s += " and more"
		}
		s += ")"
	}
	if e.from != "" {
		s += ", as it said of " + e.from
	}
	return s + ": " + e.Err.Error()
}

// others are the further repositories, one of each project where that is what
// is missing.
func (e *PushError) others() []string {
	var out []string
	told := map[string]bool{}
	for i, name := range e.Repos {
		key := name
		if e.Reason == NoProject {
			key, _, _ = strings.Cut(name, "/")
		}
		if i > 0 && !told[key] {
			out = append(out, name)
		}
		told[key] = true
	}
	return out
}

// Implies returns the refusal of another repository that follows from this
// one, nil if none does: of one more name that is too deep, or in the same
// project.
func (e *PushError) Implies(name string) error {
	project, _, _ := strings.Cut(e.Repos[0], "/")
	deep := e.Reason == NestedName && strings.Count(name, "/") > 1
	if !deep && (e.Reason != NoProject || !strings.HasPrefix(name, project+"/")) {
		return nil
	}
	out := *e
	out.Repos, out.from = []string{name}, e.Repos[0]
	return &out
}

// OfName reports whether it may be the name that is refused, so that the same
// image may go by another.
func (e *PushError) OfName() bool {
	return e.Reason == NestedName || e.Reason == NestedOrNoRight || e.Reason == NoGitLabProject
}

// IsECR reports a registry of Amazon's, whose repositories are made by command.
func (e *PushError) IsECR() bool { return e.kind == kindECR }

// Unwrap returns what the registry answered.
func (e *PushError) Unwrap() error { return e.Err }

// explainPush says for which reason a push was refused, if that is known.
func (r *Repo) explainPush(ctx context.Context, err error) error {
	e, ok := asError(err)
	if _, done := errors.AsType[*PushError](err); !ok || done || ctx.Err() != nil {
		return err
	}
	reason := r.said(e)
	if reason == "" {
		reason = r.meant(ctx, e)
	}
	if reason == "" {
		return err
	}
	return &PushError{Reason: reason, Host: r.registry.name, Repos: []string{r.name}, Err: err, kind: r.host.kind()}
}

// sayings are words of registries' answers, in lower case, that tell the
// reason; PROJECT is the first part of the repository's name.
var sayings = []struct {
	words  []string
	reason Reason
}{
	{[]string{"nested repositories are not supported"}, NestedName},                    // Quay's token service
	{[]string{"configured as immutable"}, FixedTag},                                    // Harbor
	{[]string{"is immutable"}, FixedTag},                                               // ECR
	{[]string{"in read only mode"}, Frozen},                                            // Harbor
	{[]string{"currently read-only"}, Frozen},                                          // Quay
	{[]string{"exceed the configured upper limit"}, NoQuota},                           // Harbor
	{[]string{"quota has been exceeded"}, NoQuota},                                     // Quay
	{[]string{"repository with name", "does not exist in the registry"}, NoRepository}, // ECR
	{[]string{"not authorized to perform", "ecr"}, NoRight},                            // ECR
	{[]string{"project PROJECT not found"}, NoProject},                                 // Harbor
	{[]string{"project not found"}, NoProject},
	{[]string{"unauthorized to access repository"}, NoRight}, // Harbor
	{[]string{"invalid json syntax"}, Unnamed},               // ECR
}

// said is the reason that an answer names.
func (r *Repo) said(e *Error) Reason {
	if isArtifactory(e.hdr) && overwrites(e) {
		return FixedTag
	}
	words := []string{e.text}
	for _, c := range e.Codes {
		words = append(words, c.Message)
	}
	text := strings.ToLower(strings.Join(words, "\n"))
	project, _, _ := strings.Cut(r.path, "/")
	missing := func(word string) bool {
		return !strings.Contains(text, strings.ReplaceAll(word, "PROJECT", project))
	}
	for _, s := range sayings {
		if !slices.ContainsFunc(s.words, missing) {
			return s.reason
		}
	}
	return ""
}

// meant is the reason that follows from an answer's status, the product and
// what the account was granted.
func (r *Repo) meant(ctx context.Context, e *Error) Reason {
	if !strings.Contains(e.URL, "/v2/"+r.path+"/") {
		return "" // it is the token service's, or another host's
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if r.known(ctx, e) {
			return r.noRight()
		}
	case http.StatusNotFound:
		if e.Method == http.MethodPost || e.has(oci.ErrNameUnknown) && !errors.Is(e, oci.ErrManifestBlobUnknown) {
			return NoRepository
		}
	}
	return ""
}

// known reports whether the registry knows the account, so that a refusal is
// one of rights and not of a password.
func (r *Repo) known(ctx context.Context, e *Error) bool {
	cred, err := r.host.c.o.Credentials.For(ctx, r.host.name, r.path)
	if err != nil || cred.Username == "" && cred.IdentityToken == "" {
		return false
	}
	if e.Status == http.StatusForbidden || r.host.cached(push(r.path)) != nil {
		return true
	}
	asked, err := r.registry.Login(ctx, r.path)
	return err == nil && asked
}

// noRight tells names that nobody may push to from what this account may not.
func (r *Repo) noRight() Reason {
	granted, told := r.host.granted(r.path)
	nested := strings.Count(r.path, "/") >= 2
	k := r.host.kind()
	switch {
	case k == kindGitLab && told && len(granted) == 0:
		return NoGitLabProject
	case told && len(granted) > 0 || !nested:
		return NoRight
	case k == kindQuay || k == kindHub:
		return NestedName
	case k == "":
		return NestedOrNoRight
	}
	return NoRight
}
