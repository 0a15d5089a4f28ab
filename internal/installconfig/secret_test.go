package installconfig_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/installconfig"
)

func TestParsePullSecret(t *testing.T) {
	p, err := installconfig.ParsePullSecret([]byte("\ufeff{\r\n  \"auths\": {\"b\": {\"auth\": \"dTpw\"},\n \"a/x\": {\"email\": \"x\", \"auth\": \"dTpw\"}}, \"more\": 1 }\n"))
	if err != nil || !slices.Equal(p.Hosts, []string{"a/x", "b"}) || p.JSON != `{"auths":{"b":{"auth":"dTpw"},"a/x":{"email":"x","auth":"dTpw"}},"more":1}` {
		t.Errorf("%+v, %v", p, err)
	}
	for content, want := range map[string]string{
		"":                                    "line 1, column 1",
		"s3cret":                              "line 1, column 1",
		"{\n \"auths\": {s3cret}}":            "line 2, column 12",
		"{\"auths\": \"s3cret\"}":             "line 1",
		"{}":                                  `it has no "auths"`,
		`{"kind":"Secret","data":{}}`:         `it is an object of kind "Secret"`,
		`{"auths":{"a":{}}}`:                  `the entry of "a" has no "auth"`,
		`{"auths":{"a":"s3cret"}}`:            `the entry of "a" has no "auth"`,
		`{"auths":{"a":{"auth":"s3cret!"}}}`:  "not base64",
		`{"auths":{"a":{"auth":"czNjcmV0"}}}`: "without a user or without a password",
		`{"auths":{"a":{"auth":"czo="}}}`:     "without a user or without a password",
		strings.Repeat(" ", 1<<20+1):          "more than 1048576",
	} {
		_, err := installconfig.ParsePullSecret([]byte(content))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.100q: %v, want %q", content, err, want)
		}
	}
}

func FuzzParsePullSecret(f *testing.F) {
	f.Add([]byte(login))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := installconfig.ParsePullSecret(content)
		if err != nil {
			return
		}
		if again, err := installconfig.ParsePullSecret([]byte(p.JSON)); err != nil || again.JSON != p.JSON || strings.Contains(p.JSON, "\n") {
			t.Errorf("%q: %v", content, err)
		}
	})
}
