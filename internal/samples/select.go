package samples

import (
	"fmt"
	"path"
	"slices"
)

// Choice says which image streams are wanted, by globs of their names.
type Choice struct{ Include, Exclude []string }

// Check returns the error of a glob that cannot be read.
func (c Choice) Check() error {
	for _, glob := range slices.Concat(c.Include, c.Exclude) {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return fmt.Errorf("%.100q is not a name or a glob of image streams", glob)
		}
	}
	return nil
}

// Apply returns the streams that are wanted and the others. A glob that matches
// no stream at all is an error: it is a slip of the pen.
func (c Choice) Apply(all []Stream) (wanted, left []Stream, err error) {
	for _, glob := range slices.Concat(c.Include, c.Exclude) {
		if !slices.ContainsFunc(all, func(s Stream) bool { return matches([]string{glob}, s.Name) }) {
			return nil, nil, fmt.Errorf("no image stream matches %s: there are %s", glob, some(all))
		}
	}
	for _, s := range all {
		if (len(c.Include) == 0 || matches(c.Include, s.Name)) && !matches(c.Exclude, s.Name) {
			wanted = append(wanted, s)
			continue
		}
		left = append(left, s)
	}
	if len(wanted) == 0 {
		return nil, nil, fmt.Errorf("all %d image streams are excluded", len(all))
	}
	return wanted, left, nil
}

// Excludes reports whether a stream was named to be left out, which is more than
// not to be asked for.
func (c Choice) Excludes(s Stream) bool { return matches(c.Exclude, s.Name) }

func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok && err == nil
	})
}

// some names the first few streams.
func some(all []Stream) string {
	const show = 8
	text := ""
	for i, s := range all {
		if i == show {
			return fmt.Sprintf("%s and %d more", text, len(all)-show)
		}
		if i > 0 {
			text += ", "
		}
		text += s.Name
	}
	return text
}
