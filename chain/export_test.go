package chain

// SizeHeld is what Cache and Store count for a release.
var SizeHeld = sizeHeld

// ReadRecord reads a record and writes it again; ok is false if it is none.
func ReadRecord(b []byte) (reencoded []byte, ok bool) {
	r, ok := parseRecord(b)
	if !ok {
		return nil, false
	}
	var out oneEntry
	putRecord(&out, "", r)
	return out.value, true
}

type oneEntry struct{ value []byte }

func (e *oneEntry) Get(string) ([]byte, bool)  { return e.value, e.value != nil }
func (e *oneEntry) Put(_ string, value []byte) { e.value = value }
func (e *oneEntry) Delete(string)              { e.value = nil }
