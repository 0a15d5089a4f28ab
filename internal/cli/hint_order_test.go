package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strconv"
	"strings"
	"testing"
)

// No row of the table of hints is kept from being shown by an earlier one, as
// far as the conditions as they are written tell.
func TestHintsAreNotShadowed(t *testing.T) {
	var earlier []condition
	rows := hintConditions(t, "exit.go", nil)
	for _, row := range rows {
		for _, c := range row {
			if by, shadowed := shadow(earlier, c); shadowed {
				t.Errorf("the hint for %v is never shown: an earlier one is for %v", c, by)
			}
		}
		earlier = append(earlier, row...)
	}
	if len(rows) != len(hints) {
		t.Errorf("%d rows were read, want %d", len(rows), len(hints))
	}
}

// The test above sees what it is meant to see.
func TestShadowedHints(t *testing.T) {
	for rows, want := range map[string]bool{
		`{is(a), ""}, {is(b), ""}`:                                        false,
		`{is(a, b), ""}, {is(c, b), ""}`:                                  true,
		`{is(a), ""}, {on(repo.SideSource, is(a)), ""}`:                   true,
		`{on(repo.SideSource, is(a)), ""}, {is(a), ""}`:                   false,
		`{on(repo.SideSource, is(a)), ""}, {on(repo.SideSource, f), ""}`:  false,
		`{on(repo.SideSource, f), ""}, {on(repo.SideDestination, f), ""}`: false,
		`{on(repo.SideSource, f), ""}, {on(repo.SideSource, f), ""}`:      true,
		`{says("tls:"), ""}, {says("x509:", "bad tls: x"), ""}`:           true,
		`{says("bad tls: x"), ""}, {says("tls:"), ""}`:                    false,
		`{as[*a.T], ""}, {because(a.R), ""}, {as[a.T], ""}`:               false,
		`{as[*a.T], ""}, {because(a.R), ""}, {because(a.R), ""}`:          true,
	} {
		found := false
		var earlier []condition
		for _, row := range hintConditions(t, "table.go", "package p\nvar hints = []hintRow{"+rows+"}") {
			for _, c := range row {
				_, shadowed := shadow(earlier, c)
				found = found || shadowed
			}
			earlier = append(earlier, row...)
		}
		if found != want {
			t.Errorf("%s: shadowed is %v, want %v", rows, found, want)
		}
	}
}

// condition is one of those of which a row's hint needs any.
type condition struct {
	side string // "" for either
	text string // a word that the error says, else how the condition is written
	says bool
}

// shadow finds a condition that holds wherever c does.
func shadow(earlier []condition, c condition) (condition, bool) {
	for _, e := range earlier {
		same := e.text == c.text || e.says && strings.Contains(c.text, e.text)
		if (e.side == "" || e.side == c.side) && e.says == c.says && same {
			return e, true
		}
	}
	return condition{}, false
}

// hintConditions reads the conditions of each row from the source of the table,
// nil for that of the file.
func hintConditions(t *testing.T, file string, source any) (rows [][]condition) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		table, ok := n.(*ast.CompositeLit)
		if !ok || table.Type == nil || types.ExprString(table.Type) != "[]hintRow" {
			return true
		}
		for _, row := range table.Elts {
			rows = append(rows, conditions(t, "", row.(*ast.CompositeLit).Elts[0]))
		}
		return false
	})
	return rows
}

func conditions(t *testing.T, side string, e ast.Expr) (out []condition) {
	t.Helper()
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return []condition{{side: side, text: types.ExprString(e)}}
	}
	switch types.ExprString(call.Fun) {
	case "on":
		return conditions(t, types.ExprString(call.Args[0]), call.Args[1])
	case "is":
		for _, a := range call.Args {
			out = append(out, condition{side: side, text: types.ExprString(a)})
		}
	case "says":
		for _, a := range call.Args {
			word, err := strconv.Unquote(types.ExprString(a))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, condition{side, word, true})
		}
	default:
		out = []condition{{side: side, text: types.ExprString(e)}}
	}
	return out
}
