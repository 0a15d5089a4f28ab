package cli

import "runtime/debug"

// What a run may use of memory before Go's collector is made to work for it.
// Buffers and connections need the same whatever the number of images; the
// plan needs some 8 KiB for an image, and gets room for three times that.
const (
	memoryBudget   = 48 << 20
	memoryPerImage = 24 << 10
)

// boundMemory gives a run a fixed budget: the peak is the same for 200 images
// as for 2,000, and garbage is collected only as the budget is used up. Whoever
// sets GOGC or GOMEMLIMIT knows better.
func (a *App) boundMemory(images int) {
	if a.Getenv("GOGC") != "" || a.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(2000)
	debug.SetMemoryLimit(int64(max(memoryBudget, images*memoryPerImage)))
}
