package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNotLoggedIn says that there is nothing to log out of.
var ErrNotLoggedIn = errors.New("not logged in")

// DefaultFile is the file that logins are written to, where podman writes them:
// the one asked for (File, REGISTRY_AUTH_FILE), else podman's in the user's
// runtime directory, else (no such directory) the one in the configuration
// directory, which Load reads too.
func DefaultFile(o Options) (string, error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.File != "" {
		return o.File, nil
	}
	if path := o.Getenv("REGISTRY_AUTH_FILE"); path != "" {
		return path, nil
	}
	if dir := o.Getenv("XDG_RUNTIME_DIR"); dir != "" && o.GOOS == "linux" {
		if _, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("the directory that XDG_RUNTIME_DIR names: %w", err)
		}
		return runtimeFile(o), nil
	}
	if path := runtimeFile(o); o.GOOS != "linux" || os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		return path, nil
	}
	return filepath.Join(configHome(o), "containers", "auth.json"), nil
}

// Keeper writes logins to one credential file, or to the helpers that it names.
type Keeper struct {
	Path string
	Run  RunHelper // nil for Exec
}

func (k Keeper) run() RunHelper {
	if k.Run == nil {
		return Exec
	}
	return k.Run
}

// Keep files a credential and returns where: the path, or the helper's program.
// A secret that a helper takes does not stay in the file.
func (k Keeper) Keep(ctx context.Context, key Key, c Credential) (where string, err error) {
	name, server, err := k.helper(key)
	if err != nil {
		return "", err
	}
	if name == "" {
		return k.Path, Update(k.Path, func(d *Document) error { d.Set(key, c, ""); return nil })
	}
	if err := tellHelper(ctx, k.run(), name, newHelperEntry(server, c)); err != nil {
		return "", Warning{k.Path, key.String(), err}
	}
	return helperProgram(name), Update(k.Path, func(d *Document) error {
		d.Remove(key)
		if !d.ownHelper(key) { // of a store for all, docker wants the names listed
			d.setEmpty(server)
		}
		return nil
	})
}

// helper returns the helper that the file names for a key, "" for none.
func (k Keeper) helper(key Key) (name, server string, err error) {
	d, err := ReadDocument(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	name, server = d.helper(key)
	if name == "" {
		return "", "", nil
	}
	if key.Path != "" {
		err = errors.New("a credential helper keeps one account for a whole registry, none for a path of it")
	} else {
		err = checkHelper(name)
	}
	if err != nil {
		return "", "", Warning{k.Path, key.String(), err}
	}
	return name, server, nil
}

// Known returns the credential that is filed under just this key, the zero
// Credential where there is none. A file that cannot be read is an error.
func (k Keeper) Known(ctx context.Context, key Key) (Credential, error) {
	name, server, err := k.helper(key)
	if err != nil {
		return Credential{}, err
	}
	if name != "" {
		c, err := askHelper(ctx, k.run(), name, server)
		if err != nil && !errors.Is(err, errNoCredentials) {
			return c, Warning{k.Path, key.String(), err}
		}
		return c, nil
	}
	d, err := ReadDocument(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, err
	}
	c, err := d.Credential(d.find(key))
	if err != nil {
		err = Warning{k.Path, key.String(), err}
	}
	return c, err
}

func helperProgram(name string) string { return "docker-credential-" + name }

// Forget removes the credential of a key from the file and from the helper that
// it names, and returns where it was; ErrNotLoggedIn where nothing was there.
func (k Keeper) Forget(ctx context.Context, key Key) (where string, err error) {
	name, server, err := k.helper(key)
	if err != nil {
		return "", err
	}
	if name != "" {
		if err := k.erase(ctx, name, server); err == nil {
			where = helperProgram(name)
		} else if !errors.Is(err, errNoCredentials) {
			return "", Warning{k.Path, key.String(), err}
		}
	}
	err = k.change(func(d *Document) error {
		if d.Remove(key) && where == "" {
			where = k.Path
		}
		return nil
	})
	if err == nil && where == "" {
		err = fmt.Errorf("%w to %s: %s has no credentials for it", ErrNotLoggedIn, key, k.Path)
	}
	return where, err
}

// change is Update for a file that is not made where it is missing.
func (k Keeper) change(change func(*Document) error) error {
	if _, err := os.Stat(k.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return Update(k.Path, change)
}

// erase removes what a helper has for a server; errNoCredentials for nothing.
func (k Keeper) erase(ctx context.Context, name, server string) error {
	if _, err := askHelper(ctx, k.run(), name, server); err != nil {
		return err
	}
	return orderHelper(ctx, k.run(), HelperCall{name, "erase", server})
}

// ForgetAll removes every credential of the file, and of its helpers for the
// registries that the file lists. It returns the keys. Which helper serves
// which registry stays written.
func (k Keeper) ForgetAll(ctx context.Context) (keys []string, err error) {
	d, err := ReadDocument(k.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, server := range d.helped() {
		name, as := d.helper(Key{Host: server})
		err := k.erase(ctx, name, as)
		if err != nil && !errors.Is(err, errNoCredentials) {
			return keys, Warning{k.Path, server, err}
		}
		if err == nil {
			keys = append(keys, server)
		}
	}
	err = k.change(func(d *Document) error {
		for _, name := range d.Keys() {
			d.auths.remove(name)
			if !slices.Contains(keys, name) {
				keys = append(keys, name)
			}
		}
		return nil
	})
	return keys, err
}
