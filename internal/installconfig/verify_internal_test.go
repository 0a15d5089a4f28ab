package installconfig

import (
	"errors"
	"testing"
)

// No input is known that gets this far: verify is for those that nobody thought of.
func TestVerify(t *testing.T) {
	const head = "apiVersion: v1\nplatform: {}\n"
	f, err := parse(head + "pullSecret: old\nimageContentSources: []\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"pullSecret": "new", "imageContentSources": nil}
	if err := f.verify(head+"pullSecret: new # c\n", want); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		head + "pullSecret: old\n", head, head + "pullSecret: new\nimageContentSources: []\n", head + "pullSecret: new\nmore: x\n",
		"apiVersion: v1\nplatform: {none: {}}\npullSecret: new\n", "apiVersion: v1\npullSecret: new\n", head + "pullSecret: 'new\n", "",
	} {
		if err := f.verify(text, want); !errors.Is(err, ErrCannotEdit) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
