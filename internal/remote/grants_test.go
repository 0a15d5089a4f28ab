package remote

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

func token3(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestGrants(t *testing.T) {
	for token, want := range map[string]string{
		token3(`{"access":[{"type":"repository","name":"a/b","actions":["pull","push"]}]}`): "a/b:pull,push",
		token3(`{"access":[]}`):                         "",
		"e30.eyJhY2Nlc3MiOlt7Im5hbWUiOiJhYiJ9XX0=.c2ln": "ab:", // padded, as some services do
		token3(`{"access":[{"name":"a"}]}`):             "a:",
		token3(`{"sub":"x"}`):                           "none",
		token3(`{"access":null}`):                       "none",
		token3(`{"access":"everything"}`):               "none",
		token3(`[`):                                     "none",
		"opaque":                                        "none",
		"a.b":                                           "none",
		"a.!.c":                                         "none",
		strings.Repeat("a", 5) + ".e30.x.more":          "none",
	} {
		list, ok := grants(token)
		got := "none"
		if ok {
			got = ""
			for _, a := range list {
				got += a.Name + ":" + strings.Join(a.Actions, ",")
			}
		}
		if got != want {
			t.Errorf("grants(%q) = %q, want %q", token, got, want)
		}
	}
}

func FuzzGrants(f *testing.F) {
	f.Add(token3(`{"access":[{"type":"repository","name":"a/b","actions":["pull"]}]}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if list, ok := grants(token); !ok && len(list) > 0 {
			t.Errorf("%d grants of no token", len(list))
		}
	})
}

func TestKindOf(t *testing.T) {
	for _, test := range []struct {
		host, challenge, header string
		want                    kind
	}{
		{"r.example", "", "", ""},
		{"r.example", `Basic realm="Registry Realm"`, "", ""},
		{"r.example", `Bearer realm="https://auth.example/token",service="registry"`, "", ""},
		{"registry-1.docker.io", "", "", kindHub},
		{"quay.io", `Bearer realm="https://quay.io/v2/auth",service="quay.io"`, "", kindQuay},
		{"h.example", `Bearer realm="https://h.example/service/token",service="harbor-registry"`, "", kindHarbor},
		{"g.example:5050", `Bearer realm="https://g.example/jwt/auth",service="container_registry"`, "", kindGitLab},
		{"o.example", `Bearer realm="https://o.example/openshift/token"`, "", kindOpenShift},
		{"n.example", `BASIC realm="Sonatype Nexus Repository Manager"`, "", kindNexus},
		{"n.example", `Bearer realm="https://n.example/v2/token"`, "Server: Nexus/3.70.1 (OSS)", kindNexus},
		{"a.example", `Basic realm="Artifactory Realm"`, "X-JFrog-Version: Artifactory/7", kindArtifactory},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com", "", "", kindECR},
		{"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn:443", "", "", kindECR},
		{"vpc.example", `Basic realm="https://123456789012.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"`, "", kindECR},
		{"public.ecr.aws", `Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws"`, "", kindECR},
		{"r.example", `Bearer realm="::",service=""`, "", ""},
	} {
		h := http.Header{}
		if test.challenge != "" {
			h.Set("WWW-Authenticate", test.challenge)
		}
		if name, value, ok := strings.Cut(test.header, ": "); ok {
			h.Set(name, value)
		}
		if got := kindOf(test.host, h); got != test.want {
			t.Errorf("kindOf(%s, %v) = %q, want %q", test.host, h, got, test.want)
		}
	}
}

// What products say (peers.md 3) and what it means; a name in an answer is not
// taken for a word of it.
func TestSayings(t *testing.T) {
	for _, test := range []struct {
		path, message string
		want          Reason
	}{
		{"p/app", "Failed to process request due to 'app:v1' configured as immutable.", FixedTag},
		{"a", "The image tag 'v1' already exists in the 'a' repository and cannot be overwritten because the tag is immutable.", FixedTag},
		{"immutable/app", "The repository with name 'immutable/app' does not exist in the registry with id '1'", NoRepository},
		{"p/app", "The system is in read only mode. Any modification is prohibited.", Frozen},
		{"p/app", "System is currently read-only. Pulls will succeed but all write operations are currently suspended.", Frozen},
		{"p/app", "adding 5.0 MiB of storage resource, which when updated to current usage of 9 MiB will exceed the configured upper limit of 10.0 MiB.", NoQuota},
		{"p/app", "Quota has been exceeded on namespace", NoQuota},
		{"p/app", "project p not found", NoProject},
		{"project/app", "artifact project/app@sha256:0 not found", ""},
		{"p/app", "unauthorized to access repository: p/app, action: push", NoRight},
		{"p/q/app", "Nested repositories are not supported. Found: p/q/app", NestedName},
		{"p/app", "something else", ""},
	} {
		r := &Repo{path: test.path}
		e := &Error{Codes: []*oci.Error{oci.ErrDenied.With(test.message)}}
		if got := r.said(e); got != test.want {
			t.Errorf("said(%q) = %q, want %q", test.message, got, test.want)
		}
	}
}

func TestPushErrorNamesTheOthers(t *testing.T) {
	for want, repos := range map[string][]string{
		"the project does not exist in the registry: no":                                      {"a"},
		"the project does not exist in the registry (the same goes for b): no":                {"a", "b"},
		"the project does not exist in the registry (the same goes for b, c, d): no":          {"a", "b", "c", "d"},
		"the project does not exist in the registry (the same goes for b, c, d and more): no": {"a", "b", "c", "d", "e"},
	} {
		e := &PushError{Reason: NoProject, Repos: slices.Clone(repos), Err: errors.New("no")}
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
}
