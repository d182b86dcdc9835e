package chain

// SizeHeld is what Cache and Store count for a release.
var SizeHeld = sizeHeld

// ReadNote reads a note and writes it again; ok is false if it is none.
func ReadNote(b []byte) (again []byte, ok bool) {
	n, ok := parseNote(b)
	if !ok {
		return nil, false
	}
	var out memory
	putNote(&out, "", n)
	return out.value, true
}

type memory struct{ value []byte }

func (k *memory) Note(string) ([]byte, bool)     { return k.value, k.value != nil }
func (k *memory) PutNote(_ string, value []byte) { k.value = value }
func (k *memory) DropNote(string)                { k.value = nil }
