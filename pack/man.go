package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manPages writes a page for each command, as man/man1/airbridge-store-ls.1.
func manPages(c *cobra.Command, s *source) []entry {
	p := &page{command: c}
	p.title(s)
	p.name()
	p.synopsis()
	p.description()
	p.commands()
	p.options("OPTIONS", c.NonInheritedFlags())
	p.options("GLOBAL OPTIONS", c.InheritedFlags())
	p.examples()
	if !c.HasParent() {
		p.section("ENVIRONMENT")
		p.terms(environment)
	}
	p.section("EXIT STATUS")
	p.terms(exitStatus(c))
	p.seeAlso()
	out := []entry{{name: "man/man1/" + pageName(c) + ".1", content: p.text.Bytes()}}
	for _, sub := range shown(c) {
		out = append(out, manPages(sub, s)...)
	}
	return out
}

// term is a word and what it means.
type term struct{ word, text string }

var environment = []term{
	{"REGISTRY_AUTH_FILE", "file with credentials for registries, where -a is not given; else those of podman and docker are looked for where these keep them"},
	{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies for registries, and the hosts that need none"},
}

// exitStatus differs between the commands that oc has too and ours.
func exitStatus(c *cobra.Command) []term {
	failed, usage := "Failed.", []term{{"2", "Usage: a flag or argument that cannot be understood."}, {"3", "Finished, but some images failed."}}
	if path := c.CommandPath() + " "; strings.HasPrefix(path, "airbridge adm ") || strings.HasPrefix(path, "airbridge image ") {
		failed, usage = "Failed, also where a flag or argument cannot be understood.", nil
	}
	out := append([]term{{"0", "Done."}, {"1", failed}}, usage...)
	return append(
		out,
		term{"4", "Content is corrupt."},
		term{"5", "Another process writes to the store."},
		term{"130", "Interrupted."},
	)
}

// shown are the commands below that a user should know of.
func shown(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			out = append(out, sub)
		}
	}
	return out
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// page is a man page in the making.
type page struct {
	command *cobra.Command
	text    bytes.Buffer
}

func (p *page) title(s *source) {
	fmt.Fprintf(&p.text, ".TH %q 1 %q %q \"airbridge\"\n.nh\n.ad l\n", strings.ToUpper(pageName(p.command)), s.date.Format("2006-01-02"), "airbridge "+s.version)
}

func (p *page) section(title string) { fmt.Fprintf(&p.text, ".SH %s\n", title) }

func (p *page) name() {
	p.section("NAME")
	fmt.Fprintf(&p.text, "%s \\- %s\n", escape(pageName(p.command)), escape(p.command.Short))
}

func (p *page) synopsis() {
	p.section("SYNOPSIS")
	path := p.command.CommandPath()
	rest := strings.TrimPrefix(p.command.UseLine(), path)
	if p.command.HasSubCommands() {
		rest = " COMMAND"
	}
	fmt.Fprintf(&p.text, "\\fB%s\\fR%s\n", escape(path), escape(rest))
}

func (p *page) description() {
	text := p.command.Long
	if text == "" {
		text = p.command.Short + "."
	}
	p.section("DESCRIPTION")
	p.prose(text)
}

// prose fills paragraphs, and leaves lines that are indented as they are.
func (p *page) prose(text string) {
	verbatim := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if strings.TrimSpace(line) == "" {
			if !verbatim {
				p.text.WriteString(".PP\n")
			} else {
				p.text.WriteString("\n")
			}
			continue
		}
		if indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"); indented != verbatim {
			p.text.WriteString(map[bool]string{true: ".EX\n", false: ".EE\n.PP\n"}[indented])
			verbatim = indented
		}
		fmt.Fprintf(&p.text, "%s\n", escape(line))
	}
	if verbatim {
		p.text.WriteString(".EE\n")
	}
}

func (p *page) commands() {
	subs := shown(p.command)
	if len(subs) == 0 {
		return
	}
	var list []term
	for _, sub := range subs {
		list = append(list, term{pageName(sub) + "(1)", sub.Short})
	}
	p.section("COMMANDS")
	p.terms(list)
}

func (p *page) options(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		p.text.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(&p.text, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		fmt.Fprintf(&p.text, "\\fB\\-\\-%s\\fR", escape(f.Name))
		if value != "" {
			fmt.Fprintf(&p.text, "=\\fI%s\\fR", escape(value))
		}
		fmt.Fprintf(&p.text, "\n%s\n", escape(usage+standard(f)))
	})
}

// standard says what a flag is where it is not given, if that is worth a word.
func standard(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

func (p *page) examples() {
	if p.command.Example == "" {
		return
	}
	p.section("EXAMPLES")
	text := strings.ReplaceAll("\n"+strings.Trim(p.command.Example, "\n"), "\n  ", "\n") // indented by the section already
	fmt.Fprintf(&p.text, ".EX%s\n.EE\n", escape(text))
}

func (p *page) terms(list []term) {
	for _, t := range list {
		fmt.Fprintf(&p.text, ".TP\n\\fB%s\\fR\n%s\n", escape(t.word), escape(t.text))
	}
}

func (p *page) seeAlso() {
	var names []string
	if p.command.HasParent() {
		names = append(names, pageName(p.command.Parent()))
	}
	for _, sub := range shown(p.command) {
		names = append(names, pageName(sub))
	}
	if len(names) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, name := range names { // \% keeps a name from being hyphenated
		end := map[bool]string{true: ","}[i < len(names)-1]
		fmt.Fprintf(&p.text, "\\%%\\fB%s\\fR(1)%s\n", escape(name), end)
	}
}

var signs = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// escape makes text safe in roff, also one that begins with a dot.
func escape(text string) string {
	text = signs.Replace(text)
	text = strings.ReplaceAll(text, "\n.", "\n\\&.")
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
