package ui

import (
	"fmt"
	"time"
)

// Size prints a number of bytes in binary units with four significant digits,
// as oc prints its plans (oc.md 10.3): 1.234KiB, 12.34MiB.
func Size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%s%ciB", significant(f), units[i])
}

// Rate prints bytes a second in decimal units, as oc does.
func Rate(perSecond float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}} {
		if perSecond >= u.size {
			return significant(perSecond/u.size) + u.unit
		}
	}
	return fmt.Sprintf("%.0fB/s", perSecond)
}

func significant(f float64) string {
	switch {
	case f < 10:
		return fmt.Sprintf("%.3f", f)
	case f < 100:
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// Duration prints a time for people: 850ms, 12s, 3m20s, 2h5m.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
}

// Count prints a number of things: 1 image, 2 images.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
