package remote

import "testing"

// Docker Hub's API is not at its name, and short names are in "library/".
func TestDockerHub(t *testing.T) {
	c := New(Options{})
	for host, want := range map[string]string{"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io", "Quay.io": "quay.io", "h:5000": "h:5000"} {
		r := c.Registry(host)
		if r.Name() != host || r.host.name != want {
			t.Errorf("%s: name %s, host %s, want %s", host, r.Name(), r.host.name, want)
		}
	}
	for _, test := range []struct{ host, name, path string }{
		{"docker.io", "busybox", "library/busybox"}, {"docker.io", "a/b", "a/b"}, {"quay.io", "busybox", "busybox"},
	} {
		p, err := c.Registry(test.host).repo(test.name)
		if err != nil || p.path != test.path || p.Name() != test.name {
			t.Errorf("%s/%s: path %q, name %q, %v", test.host, test.name, p.path, p.Name(), err)
		}
	}
	if c.Registry("docker.io").host != c.Registry("index.docker.io").host {
		t.Error("two names of one host have two states")
	}
}
