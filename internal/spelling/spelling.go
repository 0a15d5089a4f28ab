// Package spelling tells how much one name looks like another, so that an error
// about a name that does not exist can propose those that do.
package spelling

import (
	"cmp"
	"slices"
)

// Nearest returns at most so many of some names, the nearest first, and those that
// are equally near as they come. far tells how far one is, and whether it is near
// enough to be proposed.
func Nearest(names []string, most int, far func(name string) (distance int, near bool)) []string {
	distances := map[string]int{}
	var out []string
	for _, name := range names {
		if distance, near := far(name); near {
			distances[name] = distance
			out = append(out, name)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(distances[a], distances[b]) })
	return out[:min(len(out), most)]
}

// maxDistance bounds the names that are compared letter by letter, in bytes.
const maxDistance = 200

// Distance returns how many letters have to be added, dropped or changed to make
// one name of the other.
func Distance(a, b string) int {
	if len(a) > maxDistance || len(b) > maxDistance {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
