package explanation

import "github.com/mirrorchain/mirrorchain/policy"

// Warning is something legal and surprising about policies.
type Warning struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Origins []string `json:"origins"`
}

// Skipped is an object that was read and is no policy.
type Skipped struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Origin string `json:"origin"`
}

// Warnings returns warnings for JSON. It never returns nil.
func Warnings(all []policy.Warning) []Warning {
	out := []Warning{}
	for _, w := range all {
		out = append(out, Warning{w.Code, w.Message, list(w.Origins)})
	}
	return out
}

// SkippedObjects returns objects for JSON. It never returns nil.
func SkippedObjects(all []policy.SkippedObject) []Skipped {
	out := []Skipped{}
	for _, o := range all {
		out = append(out, Skipped(o))
	}
	return out
}
