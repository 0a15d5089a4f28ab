// Package repotest is the one suite of the contracts of package repo. Every
// implementation passes it: registries on disk and in memory, remote ones, and
// views that can only be read, which get their content from Fill. It also has
// the made-up content that other tests push around.
package repotest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Features says what a registry does not have of the contract; the zero value
// is all of it. The tests of what is lacking do not run.
type Features struct {
	NoCatalog   bool // Repositories
	NoReferrers bool
	NoSHA512    bool
	NoSparse    bool // an index whose children are absent
	NoForeign   bool // layers that are named and never pushed
	NoAnyType   bool // manifests of unknown media types
	NoMount     bool
	NoResume    bool // going on inside a blob in a second PutBlob
	NoDelete    bool // of manifests and blobs
	NoDeleteTag bool
	NoHold      bool // refusing to delete a blob that a manifest names
	NoNames     bool // telling a repository that does not exist by its tag list
}

// Opener opens the registry under test. It may be the same one each time: each
// test has repositories and content of its own.
type Opener func(t *testing.T) repo.Registry

// suite is one test of an implementation.
type suite struct {
	*testing.T
	reg  repo.Registry
	f    Features
	name string // of the test's own repositories
}

// Run tests an implementation that can be written.
func Run(t *testing.T, open Opener, f Features) {
	t.Helper()
	tests := []struct {
		name string
		skip bool
		run  func(*suite)
	}{
		{"Images", false, testImages},
		{"DockerImages", false, testDockerImages},
		{"Tags", false, testTags},
		{"TagMoves", false, testTagMoves},
		{"Untagged", false, testUntagged},
		{"Unknown", false, testUnknown},
		{"Invalid", false, testInvalid},
		{"Missing", false, testMissing},
		{"EmptyBlob", false, testEmptyBlob},
		{"Again", false, testAgain},
		{"WrongContent", false, testWrongContent},
		{"BrokenContent", false, testBrokenContent},
		{"Cancelled", false, testCancelled},
		{"Resume", f.NoResume, testResume},
		{"Incomplete", false, testIncomplete},
		{"WrongManifest", false, testWrongManifest},
		{"Foreign", f.NoForeign, testForeign},
		{"Sparse", f.NoSparse, testSparse},
		{"AnyType", f.NoAnyType, testAnyType},
		{"SHA512", f.NoSHA512, testSHA512},
		{"Mount", f.NoMount, testMount},
		{"Apart", false, testApart},
		{"Referrers", f.NoReferrers, testReferrers},
		{"DeleteTag", f.NoDeleteTag, testDeleteTag},
		{"DeleteManifest", f.NoDelete, testDeleteManifest},
		{"DeleteBlob", f.NoDelete, testDeleteBlob},
		{"DeleteHeld", f.NoDelete || f.NoHold, testDeleteHeld},
		{"Repositories", f.NoCatalog, testRepositories},
		{"Concurrent", false, testConcurrent},
		{"Uploads", false, testUploads},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.skip {
				t.Skip("the registry does not have this")
			}
			test.run(&suite{T: t, reg: open(t), f: f, name: repoName(t.Name())})
		})
	}
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// repoName makes a repository's name of a test's.
func repoName(test string) string {
	return "suite/" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(test), "/"), "/")
}

// repo returns one of the test's own repositories.
func (s *suite) repo(suffix string) repo.Repo {
	s.Helper()
	r, err := s.reg.Repo(s.name + suffix)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// blob returns content that is only in this test.
func (s *suite) blob(name string, size int) Blob { return NewBlob(s.name+name, size) }

// image returns an image of two layers that is only in this test.
func (s *suite) image(name string) Image {
	return NewImage(s.name+name, s.blob(name+"1", 1000), s.blob(name+"2", 70000))
}

// wantCode fails unless an error matches a code.
func (s *suite) wantCode(what string, err error, codes ...oci.Code) {
	s.Helper()
	for _, code := range codes {
		if errors.Is(err, code) {
			return
		}
	}
	s.Errorf("%s: got error %v, want %v", what, err, codes)
}

// wantMissing fails unless an error says that something is not there.
func (s *suite) wantMissing(what string, err error) {
	s.Helper()
	if !oci.IsNotFound(err) {
		s.Errorf("%s: got error %v, want one that says not found", what, err)
	}
}

// collect reads a listing to its end.
func collect[T any](t testing.TB, what string, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out = append(out, v)
	}
	return out
}

func sorted[T cmp.Ordered](list ...T) []T {
	slices.Sort(list)
	return list
}

func (s *suite) ctx() context.Context { return s.Context() }
