package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Options say where to look. All of the process's surroundings come in here.
type Options struct {
	File   string              // --registry-config: only this file, which must exist
	Getenv func(string) string // nil for an empty environment
	Home   string              // "" for none
	UID    int                 // of the user, for /run/containers
	GOOS   string              // runtime.GOOS
	Run    RunHelper           // nil for Exec
}

// Store answers which credential belongs to a repository. It is safe for use
// by several goroutines. A nil *Store knows no credentials.
type Store struct {
	files   []*file // in order of precedence
	entries map[string]entry
	run     RunHelper

	mu       sync.Mutex
	warnings []Warning
	asked    map[string]*answer // by helper and server
}

// answer is what a helper said, once; done is closed when it has.
type answer struct {
	done    chan struct{}
	cred    Credential
	err     error
	unheard bool // the asker's own context ended first: others have to ask again
}

// Only returns a Store that knows one credential, for a registry or for the
// repositories below a path of it.
func Only(key Key, c Credential) *Store {
	normal, _ := normalKey(key.String())
	return &Store{entries: map[string]entry{normal: {key: key.String(), cred: c}}}
}

// Where names the file and the entry in it that decide for a repository; both
// are "" where no entry does.
func (s *Store) Where(host, repository string) (path, key string) {
	if s == nil {
		return "", ""
	}
	for _, k := range lookupKeys(host, repository) {
		if e, ok := s.entries[k]; ok {
			return e.file, e.key
		}
	}
	return "", ""
}

// place is a file to look into.
type place struct {
	path   string
	legacy bool
}

// Load reads the credential files in the order of oc.md 5. A file asked for by
// name must exist and be readable; what is wrong with any other is a Warning.
func Load(o Options) (*Store, error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	s := &Store{entries: map[string]entry{}, run: o.Run, asked: map[string]*answer{}}
	if s.run == nil {
		s.run = Exec
	}
	if o.File != "" {
		return s, s.loadNamed("--registry-config", o.File)
	}
	if path := o.Getenv("REGISTRY_AUTH_FILE"); path != "" {
		return s, s.loadNamed("REGISTRY_AUTH_FILE", path)
	}
	for _, p := range places(o) {
		if err := s.load(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.warnings = append(s.warnings, Warning{File: p.path, Err: err})
		}
	}
	return s, nil
}

// places lists the usual files, the first to be believed first.
func places(o Options) []place {
	podman := []place{{path: runtimeFile(o)}, {path: filepath.Join(configHome(o), "containers", "auth.json")}}
	dockerDir := o.Getenv("DOCKER_CONFIG")
	if dockerDir == "" {
		dockerDir = filepath.Join(o.Home, ".docker")
	}
	docker := []place{
		{path: filepath.Join(dockerDir, "config.json")},
		{path: filepath.Join(o.Home, ".dockercfg"), legacy: true},
	}
	if o.Getenv("REGISTRY_AUTH_PREFERENCE") == "docker" {
		return append(docker, podman...)
	}
	return append(podman, docker...)
}

func configHome(o Options) string {
	if dir := o.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(o.Home, ".config")
}

// runtimeFile is podman's file in the user's runtime directory.
func runtimeFile(o Options) string {
	if o.GOOS != "linux" {
		return filepath.Join(o.Home, ".config", "containers", "auth.json")
	}
	if dir := o.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "containers", "auth.json")
	}
	return filepath.Join("/run/containers", strconv.Itoa(o.UID), "auth.json")
}

func (s *Store) loadNamed(option, path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("unable to load %s: %w", option, err)
	}
	if err := s.load(place{path: path}); err != nil {
		return fmt.Errorf("unable to load %s: %s: %w", option, path, err)
	}
	return nil
}

// load adds a file: a key that an earlier file has stays as it is.
func (s *Store) load(p place) error {
	data, err := os.ReadFile(p.path)
	if err != nil {
		return err
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(strings.TrimSpace(string(data))) == 0 { // podman writes such files on logout
		return nil
	}
	f, err := parse(p.path, data, p.legacy)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	for _, key := range slices.Sorted(maps.Keys(f.entries)) { // so that warnings come in one order
		if _, taken := s.entries[key]; taken {
			continue
		}
		e := f.entries[key]
		s.entries[key] = e
		if e.err != nil {
			s.warnings = append(s.warnings, Warning{e.file, e.key, e.err})
		}
	}
	return nil
}

// Warnings returns what was found wrong so far, without secrets.
func (s *Store) Warnings() []Warning {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Warning(nil), s.warnings...)
}

// For returns the credential for a repository ("" for the registry as such) of
// a host[:port]: the entry with the longest matching path, else what the
// configured store of all credentials knows. None is the zero Credential. The
// error is a Warning: an entry for this registry that cannot be read, or a
// helper that fails.
func (s *Store) For(ctx context.Context, host, repository string) (Credential, error) {
	if s == nil {
		return Credential{}, nil
	}
	for _, key := range lookupKeys(host, repository) {
		if e, ok := s.entries[key]; ok {
			cred, err := s.resolve(ctx, e)
			if !errors.Is(err, errNoCredentials) {
				return cred, err
			}
		}
	}
	return s.fromStores(ctx, normalHost(host))
}

func (s *Store) resolve(ctx context.Context, e entry) (Credential, error) {
	if e.err != nil {
		return Credential{}, Warning{e.file, e.key, e.err}
	}
	if e.helper == "" {
		return e.cred, nil
	}
	cred, err := s.ask(ctx, e.helper, e.server)
	if err != nil && !errors.Is(err, errNoCredentials) {
		err = Warning{e.file, e.key, err}
	}
	return cred, err
}

// fromStores asks each file's credsStore. One that fails matters only where
// its file says that this host was logged in through it.
func (s *Store) fromStores(ctx context.Context, host string) (Credential, error) {
	server := storeServer(host)
	for _, f := range s.files {
		if f.store == "" {
			continue
		}
		cred, err := s.ask(ctx, f.store, server)
		if err == nil {
			return cred, nil
		}
		if errors.Is(err, errNoCredentials) {
			continue
		}
		w := Warning{f.path, host, err}
		if f.listed[host] || ctx.Err() != nil {
			return Credential{}, w
		}
		s.warn(w)
	}
	return Credential{}, nil
}

// warn remembers a warning once.
func (s *Store) warn(w Warning) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.warnings {
		if old.Error() == w.Error() {
			return
		}
	}
	s.warnings = append(s.warnings, w)
}

// ask runs a helper once for each server; what it said is kept, but for an end
// that the caller's own context brought about: whoever waits asks again then.
func (s *Store) ask(ctx context.Context, helper, server string) (Credential, error) {
	id := helper + "\x00" + server
	for {
		a, first := s.answerOf(id)
		if first {
			a.cred, a.err = askHelper(ctx, s.run, helper, server)
			s.settle(id, a, ctx.Err() != nil)
			return a.cred, a.err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return Credential{}, ctx.Err()
		}
		if !a.unheard {
			return a.cred, a.err
		}
	}
}

// answerOf returns the answer to a question, and whether the caller is the first
// to have it and so has to ask.
func (s *Store) answerOf(id string) (a *answer, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.asked[id]; ok {
		return a, false
	}
	a = &answer{done: make(chan struct{})}
	s.asked[id] = a
	return a, true
}

func (s *Store) settle(id string, a *answer, unheard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.unheard = unheard; unheard {
		delete(s.asked, id)
	}
	close(a.done)
}
