package cli

import (
	"errors"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/remote"
)

// because reports a push that a registry refuses for a reason.
func because(reason remote.Reason) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*remote.PushError](err)
		return ok && e.Reason == reason
	}
}

// becauseECR reports repositories that have to be made at ECR.
func becauseECR(err error) bool {
	e, ok := errors.AsType[*remote.PushError](err)
	return ok && e.Reason == remote.NoRepository && e.IsECR()
}

// placeholders fills what a hint says of a refused push: the host, the project (the
// first part of the repository's name) or all of them, the repository or all of
// them, and the command that makes one at ECR.
func placeholders(hint string, err error) string {
	e, ok := errors.AsType[*remote.PushError](err)
	if !ok {
		return hint
	}
	project, _, _ := strings.Cut(e.Repos[0], "/")
	return strings.NewReplacer(
		"{HOST}", e.Host, "{PROJECTS}", strings.Join(firstParts(e.Repos), ", "), "{PROJECT}", project,
		"{REPOSITORIES}", strings.Join(e.Repos, " "), "{REPOSITORY}", e.Repos[0],
		"{AWS}", awsCommand(e.Host),
	).Replace(hint)
}

// firstParts returns the different first parts of names, in their order.
func firstParts(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range names {
		if first, _, _ := strings.Cut(name, "/"); !seen[first] {
			seen[first] = true
			out = append(out, first)
		}
	}
	return out
}

// awsCommand is the command that makes repositories in a registry of ECR. The
// region is the label before the domain in ACCOUNT.dkr.ecr.REGION.amazonaws.com.
func awsCommand(host string) string {
	if host == "public.ecr.aws" {
		return "aws ecr-public create-repository --region us-east-1"
	}
	before, _, found := strings.Cut(host, ".amazonaws.com")
	if i := strings.LastIndexByte(before, '.'); found && i >= 0 {
		return "aws ecr create-repository --region " + before[i+1:]
	}
	return "aws ecr create-repository"
}
