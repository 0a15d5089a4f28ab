package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Every reason for which a push is refused has a hint of its own, which goes
// before those on credentials and lists, and in which nothing is left to fill in.
func TestEveryReasonHasAHint(t *testing.T) {
	seen := map[string]remote.Reason{}
	for reason, want := range map[remote.Reason]string{
		remote.NestedName:      "as r.example/org/NAME: adm catalog mirror makes such names with --max-components=2",
		remote.NestedOrNoRight: "check what the account may do on org/a/b;",
		remote.NoGitLabProject: "as r.example/group/project/name,",
		remote.NoProject:       "console or API: org, other;",
		remote.NoRepository:    "in the registry first: org/a/b org/c other/d;",
		remote.NoRight:         "may push to org/a/b: airbridge login r.example,",
		remote.FixedTag:        "choose another tag",
		remote.NoQuota:         "raise the quota",
		remote.Frozen:          "read-only mode",
		remote.Unnamed:         "lacks its mediaType",
	} {
		err := error(&remote.PushError{Reason: reason, Host: "r.example", Repos: []string{"org/a/b", "org/c", "other/d"}, Err: oci.ErrUnauthorized})
		err = &repo.Error{Op: "copying", Side: repo.SideDestination, Ref: "x", Err: fmt.Errorf("a: %w", err)}
		got := (&App{Args: []string{"airbridge"}}).hint(err)
		if !strings.Contains(got, want) || strings.ContainsAny(got, "{}") {
			t.Errorf("%s\nhas the hint %q, want %q", reason, got, want)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q have one hint", reason, other)
		}
		seen[got] = reason
	}
}

func TestPlaceholdersOfOtherErrors(t *testing.T) {
	if got := placeholders("a {HOST}", errors.New("x")); got != "a {HOST}" {
		t.Errorf("filled in as %q", got)
	}
}

func TestAWSCommand(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":          "aws ecr create-repository --region eu-west-1",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn:443":  "aws ecr create-repository --region cn-north-1",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": "aws ecr create-repository --region us-gov-west-1",
		"public.ecr.aws": "aws ecr-public create-repository --region us-east-1",
		"vpc.example":    "aws ecr create-repository",
	} {
		if got := awsCommand(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
