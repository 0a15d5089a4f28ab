package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// one shows one release.
func (q *releaseQuery) one(ctx context.Context, s *session, given sought) error {
	info, err := q.read(ctx, s, given)
	if err != nil {
		return err
	}
	text, err := q.text(info)
	if err != nil {
		return err
	}
	q.tellUnread(s, info)
	if !q.flags.verify {
		s.ui.Result(text)
		return unread(info)
	}
	if err := unread(info); err != nil {
		return err
	}
	tellPlaces(s, info)
	s.ui.Result(text)
	return nil
}

// tellPlaces says where component images were found: a mirror that lacks some
// passes --verify where their source can be reached.
func tellPlaces(s *session, info *mirror.Info) {
	for _, place := range slices.SortedFunc(maps.Keys(info.Places), func(a, b ref.Ref) int { return cmp.Compare(a.String(), b.String()) }) {
		s.ui.Info("%d of %s found in %s", info.Places[place], ui.Count(len(info.Tags), "component image"), place)
	}
}

// tellUnread tells of component images that could not be read, where the result
// does not.
func (q *releaseQuery) tellUnread(s *session, info *mirror.Info) {
	if inText := q.flags.format == "" && !q.flags.verify; inText || q.flags.kind() == "json" {
		return
	}
	for _, err := range info.Unread {
		s.ui.Warn("%v", err)
	}
}

// unread is the error of a release of which not all could be looked up.
func unread(info *mirror.Info) error {
	n := len(info.Unread)
	if n == 0 {
		return nil
	}
	return &unreadError{fmt.Sprintf("release %s: %d of %s cannot be read", info.Name(), n, ui.Count(len(info.Tags), "component image")), worst(info.Unread)}
}

// unreadError says that component images of a release cannot be read; which and
// why has been told.
type unreadError struct {
	text  string
	worst error
}

// Error implements error.
func (e *unreadError) Error() string { return e.text }

// Unwrap returns the failure that decides the exit code.
func (e *unreadError) Unwrap() error { return e.worst }

// text is a release in the form asked for.
func (q *releaseQuery) text(info *mirror.Info) (string, error) {
	f := q.flags
	switch {
	case f.verify:
		return fmt.Sprintf("%s %s %s\n", info.Digest, info.Created.UTC().Format(time.RFC3339), info.Name()), nil
	case f.contents:
		return info.Contents.Text(), nil
	case q.render != nil:
		return q.render(info.Info)
	case f.format != "":
		return listed(info.Info, f.format), nil
	case f.imageFor != "":
		at, err := info.ImageFor(f.imageFor)
		return at.String() + "\n", err
	}
	return info.Text(f.table(), q.now), nil
}

// listed has a line for each component.
func listed(info *release.Info, format string) string {
	var b strings.Builder
	for _, tag := range info.Tags {
		switch format {
		case "name":
			fmt.Fprintln(&b, tag.Name)
		case "digest":
			fmt.Fprintln(&b, tag.From.Digest)
		case "pullspec":
			fmt.Fprintln(&b, tag.From)
		}
	}
	return b.String()
}

// changes shows how two releases differ.
func (q *releaseQuery) changes(ctx context.Context, s *session) error {
	var both [2]*mirror.Info
	for n, given := range q.given {
		info, err := q.read(ctx, s, given)
		if err != nil {
			return err
		}
		both[n] = info
	}
	if q.flags.contents {
		s.ui.Result(extractBoth(s.app.program(), both[0].From, both[1].From))
		return nil
	}
	diff := release.Compare(both[0].Info, both[1].Info)
	if q.render == nil {
		s.ui.Result(diff.Text(*q.flags.tables[release.Commits], q.now))
	} else {
		text, err := q.render(diff)
		if err != nil {
			return err
		}
		s.ui.Result(text)
	}
	return cmp.Or(unread(both[0]), unread(both[1]))
}

// extractBoth says how to compare the files of two releases (oc.md 14).
func extractBoth(program string, from, to ref.Ref) string {
	return fmt.Sprintf(`To see the differences between these releases, run:

  %[1]s adm release extract %[2]s --to=/tmp/old
  %[1]s adm release extract %[3]s --to=/tmp/new
  diff /tmp/old /tmp/new

`, program, from, to)
}
