//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// series is what one contender took, round by round.
type series struct {
	name string
	runs []usage
}

// spread is a median with its extremes.
type spread struct{ median, low, high float64 }

func (s spread) String() string {
	if s.low == s.high {
		return fmt.Sprintf("%.4g", s.median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.median, s.low, s.high)
}

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return spread{median: (v[(n-1)/2] + v[n/2]) / 2, low: v[0], high: v[n-1]}
}

// of picks one figure of each run.
func (s series) of(figure func(usage) float64) []float64 {
	out := make([]float64, len(s.runs))
	for i, r := range s.runs {
		out[i] = figure(r)
	}
	return out
}

func wall(u usage) float64      { return u.wall }
func cpu(u usage) float64       { return u.cpu }
func receiving(u usage) float64 { return u.receiver }
func peakMB(u usage) float64    { return float64(u.rss) / 1e6 }

// ratio compares two contenders round by round.
func ratio(a, b series) spread {
	out := make([]float64, min(len(a.runs), len(b.runs)))
	for i := range out {
		out[i] = a.runs[i].wall / b.runs[i].wall
	}
	return spreadOf(out)
}

// printTable prints all contenders, each against the first, the floor.
func printTable(all []series) {
	fmt.Println("| contender | seconds | x floor | own CPU s | receiver CPU s / 2 | peak MB |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, s := range all {
		fmt.Printf("| %s | %s | %s | %.1f | %s | %.0f |\n", s.name, spreadOf(s.of(wall)), ratio(s, all[0]),
			spreadOf(s.of(cpu)).median, half(spreadOf(s.of(receiving)).median), spreadOf(s.of(peakMB)).high)
	}
	fmt.Println()
}

func half(seconds float64) string {
	if seconds == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f", seconds/2)
}

// printGoal prints one line that compares a figure with what must be reached.
func printGoal(what string, got spread, limit float64) {
	fmt.Printf("- %s: %s, goal <= %.2f: **%s**\n", what, got, limit, verdict(got.median <= limit))
}

// printAtLeast is printGoal for figures that are better when larger.
func printAtLeast(what string, got spread, limit float64) {
	fmt.Printf("- %s: %s, goal >= %.2f: **%s**\n", what, got, limit, verdict(got.median >= limit))
}

// printReceiverBound says whether a run is within 1.2 times of what the
// receiver alone costs on two cores, which counts as reached: nobody can send
// faster than it takes.
func printReceiverBound(s series) {
	out := make([]float64, len(s.runs))
	for i, r := range s.runs {
		out[i] = r.wall / (r.receiver / 2)
	}
	printGoal(s.name+" / (receiver's CPU seconds / 2)", spreadOf(out), 1.2)
}

func verdict(ok bool) string {
	if ok {
		return "reached"
	}
	return "missed"
}

// fastest returns the contender with the lowest median.
func fastest(all []series) series {
	return slices.MinFunc(all, func(a, b series) int {
		x, y := spreadOf(a.of(wall)).median, spreadOf(b.of(wall)).median
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
}

// named joins contenders with their runs.
func named(contenders []contender, runs [][]usage) []series {
	out := make([]series, len(runs))
	for i := range runs {
		out[i] = series{contenders[i].name, runs[i]}
	}
	return out
}
