package ref

import (
	"fmt"
	"regexp"
	"strings"
)

// ParseError says why a text is not a reference, or not one that will do.
type ParseError struct {
	Input  string // what was parsed, without any password
	Reason string // lower case, a clause about "it"
	Advice string // what to do, "" where there is nothing to say
}

// Error implements error.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%.300q is not a valid reference: %s", e.Input, e.Reason)
}

// Hint returns the advice, for the line below the error.
func (e *ParseError) Hint() string { return e.Advice }

// login is a user and password written before a host, as in a URL.
var login = regexp.MustCompile(`^([a-zA-Z0-9+.-]*://)?[^/@\s]*:[^/@\s]*@`)

// fail makes a ParseError. Text that looks half empty, or like a placeholder of
// some document, gets advice on that.
func fail(input, reason string, args ...any) error {
	e := &ParseError{Input: hidePassword(input), Reason: fmt.Sprintf(reason, args...)}
	switch why, empty := LooksEmpty(input); {
	case empty:
		e.Advice = why + ": is a shell variable unset?"
	case strings.ContainsAny(input, "<>"):
		e.Advice = "replace the part in <angle brackets> by a value of your own"
	case strings.ContainsAny(input, "${}"):
		e.Advice = "a shell variable in it was not replaced: single quotes keep the shell from doing so"
	}
	return e
}

// hidePassword cuts a login from text, so that no error repeats it. A digest
// behind the @ means that there is none.
func hidePassword(s string) string {
	end := login.FindStringIndex(s)
	if end == nil || strings.HasPrefix(s[end[1]:], "sha256:") || strings.HasPrefix(s[end[1]:], "sha512:") {
		return s
	}
	return "***@" + s[end[1]:]
}

// gap is a place in a reference where something is missing.
type gap struct {
	found func(s string) bool
	why   string
}

var gaps = []gap{
	{func(s string) bool { return s == "" }, "nothing is there"},
	{prefix("-"), "it begins with a dash, as a flag does, so the value before that flag is missing"},
	{prefix("/"), "nothing is before the first slash"},
	{prefix(":"), "nothing is before the first colon"},
	{prefix("@"), "nothing is before the @"},
	{contains("//"), "nothing is between two slashes"},
	{contains("/:"), "nothing is between a slash and a colon"},
	{contains("/@"), "nothing is between a slash and the @"},
	{contains(":/"), "nothing is between a colon and a slash"},
	{contains(":@"), "nothing is between a colon and the @"},
	{contains(":-"), "the tag begins with a dash"},
	{suffix("/"), "nothing is after the last slash"},
	{suffix(":"), "nothing is after the last colon"},
	{suffix("@"), "nothing is after the @"},
	{endsInDash, "the tag ends with a dash"},
}

// LooksEmpty reports whether a reference, or a flag's value that is one, looks
// as if a shell variable in it was unset ("/", ":", "REG/", "quay.io//x:-"),
// and what the sign of it is. A tag that ends with a dash is such a sign though
// it can be parsed; so this is for hints and not a reason to refuse.
func LooksEmpty(s string) (why string, ok bool) {
	if _, rest, found := strings.Cut(s, "://"); found {
		s = strings.TrimPrefix(rest, "/") // file:///x is file://x
	}
	for _, g := range gaps {
		if g.found(s) {
			return g.why, true
		}
	}
	return "", false
}

func prefix(p string) func(string) bool {
	return func(s string) bool { return strings.HasPrefix(s, p) }
}

func suffix(p string) func(string) bool {
	return func(s string) bool { return strings.HasSuffix(s, p) }
}

func contains(p string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, p) }
}

// endsInDash finds the tag of V-ARCH where ARCH is missing.
func endsInDash(s string) bool {
	tag := strings.LastIndexByte(s, ':')
	return tag > strings.LastIndexByte(s, '/') && strings.HasSuffix(s, "-")
}
