package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// MayPushError says that an account that is meant for the machines of a cluster
// may push to the mirror.
type MayPushError struct {
	Place string // registry and repository
	User  string // "" where the registry asks nobody
}

// Error implements error. The reason is the document's (3.4, first warning).
func (e *MayPushError) Error() string {
	who := e.User
	if who == "" {
		who = "anybody, with any account or none,"
	}
	return fmt.Sprintf("%s may push to %s: with this pull secret %q", who, e.Place,
		"all of the machines in the cluster will have write access to your mirror registry")
}

// OpCheckPull is the Op of an account that may not pull.
const OpCheckPull = "checking that the account may pull from"

// Reader is an account that only reads, at a mirror.
type Reader struct {
	Registry   *remote.Registry // logs in with the account
	Key        auth.Key         // under which it is filed
	Credential auth.Credential
}

// Check asks the registry what the account may do in the repositories: it must
// be able to pull, and must not be able to push (*MayPushError). For the second
// an upload is opened and, should that work, cancelled. It returns what could
// not be told, in sentences.
func (r Reader) Check(ctx context.Context, repositories []string) (unknown []string, err error) {
	asked, err := r.login(ctx)
	if err != nil {
		return nil, err
	}
	if unknown, err = askEach(ctx, repositories, r.mayNotPush); err != nil {
		return unknown, err
	}
	if !asked { // a refused push has shown by now how it wants to be asked
		if asked, err = r.login(ctx); err != nil {
			return unknown, err
		}
	}
	if !asked {
		unknown = append(unknown, r.Registry.Name()+" lets anybody in to read: whether the password is right could not be told")
	}
	more, err := askEach(ctx, repositories, r.mayPull)
	return append(unknown, more...), err
}

// unknownError is a question that the registry did not answer.
type unknownError struct{ error }

// askEach asks one question about each repository.
func askEach(ctx context.Context, repositories []string, ask func(context.Context, string) error) (unknown []string, err error) {
	for _, name := range repositories {
		err := ask(ctx, name)
		if note, ok := errors.AsType[unknownError](err); ok {
			unknown = append(unknown, note.Error())
		} else if err != nil {
			return unknown, err
		}
	}
	return unknown, nil
}

func (r Reader) login(ctx context.Context) (asked bool, err error) {
	asked, err = r.Registry.Login(ctx, r.Key.Path)
	if err != nil {
		err = &repo.Error{Op: "logging in to", Ref: r.Key.String(), Err: err}
	}
	return asked, err
}

func (r Reader) place(name string) string { return r.Registry.Name() + "/" + name }

// mayNotPush makes sure that a push is refused for want of the right to.
func (r Reader) mayNotPush(ctx context.Context, name string) error {
	place := r.place(name)
	err := r.Registry.CanPush(ctx, name)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return r.mayPush(ctx, place)
	case errors.Is(err, oci.ErrUnauthorized), errors.Is(err, oci.ErrDenied):
		return nil
	}
	return unknownError{fmt.Errorf("whether the account may push to %s could not be told: %w", place, err)}
}

// mayPush tells an account that may push from a registry where anybody may.
func (r Reader) mayPush(ctx context.Context, place string) error {
	if asked, err := r.login(ctx); err == nil && !asked {
		return &MayPushError{Place: place}
	}
	return &MayPushError{Place: place, User: r.Credential.String()}
}

// mayPull lists tags, which takes the same right as pulling and works without
// the name of an image.
func (r Reader) mayPull(ctx context.Context, name string) error {
	place := r.place(name)
	rp, err := r.Registry.Repo(name)
	if err != nil {
		return err
	}
	for _, err = range rp.Tags(ctx, "") {
		break
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, oci.ErrUnauthorized), errors.Is(err, oci.ErrDenied):
		return &repo.Error{Op: OpCheckPull, Ref: place, Err: err}
	}
	return unknownError{fmt.Errorf("whether the account may pull from %s could not be told: %w", place, err)}
}
