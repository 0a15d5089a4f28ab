package cluster

// Len is the number of sources that there are rules for.
func (m MirrorRules) Len() int { return len(m.rules) }
