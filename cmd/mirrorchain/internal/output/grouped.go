package output

// Grouped puts items together that have the same key, in the order of the first of each.
// Reports list together what failed alike.
func Grouped[T any](items []T, key func(*T) string) [][]T {
	var groups [][]T
	at := make(map[string]int)
	for _, item := range items {
		k := key(&item)
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], item)
	}
	return groups
}
