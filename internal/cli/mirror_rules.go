package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// ruleFlags name files with mirror rules (oc.md 16). oc has a flag for each
// kind; the content tells, so either takes any.
type ruleFlags struct{ icsp, idms string }

func (f *ruleFlags) add(flags *pflag.FlagSet) {
	const takes = "of any kind (ICSP, IDMS, ITMS, install-config.yaml, or what adm release mirror printed)"
	flags.StringVar(&f.icsp, "icsp-file", "", "file with mirrors to read images from, "+takes)
	flags.StringVar(&f.idms, "idms-file", "", "the same as --icsp-file, which is oc's older name for it")
}

// file is the flag that was given and its value, "" for neither.
func (f *ruleFlags) file() (flag, name string) {
	if f.icsp != "" {
		return "--icsp-file", f.icsp
	}
	return "--idms-file", f.idms
}

// read reads the rules; without a file there are none.
func (f *ruleFlags) read() (cluster.MirrorRules, error) {
	if f.icsp != "" && f.idms != "" {
		return cluster.MirrorRules{}, usagef("icsp-file and idms-file are mutually exclusive")
	}
	flag, name := f.file()
	if name == "" {
		return cluster.MirrorRules{}, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return cluster.MirrorRules{}, fmt.Errorf("reading %s: %w", flag, err)
	}
	return cluster.ParseMirrors(name, content)
}

// warn tells of images for which the rules do nothing, since they are named by
// tag, in oc's words (oc.md 16).
func (f *ruleFlags) warn(s *session, rules cluster.MirrorRules, images ...ref.Ref) {
	if slices.ContainsFunc(images, rules.OnlyByDigest) {
		flag, _ := f.file()
		s.ui.Warn("%s only applies to images referenced by digest and will be ignored for tags", flag)
	}
}
