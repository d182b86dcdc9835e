package diskcache

// OpenStepping does what Open does, with a function that is called at each step of a write.
func OpenStepping(cfg Config, step func(string)) (*Cache, error) {
	return open(cfg, func(s string) error { step(s); return nil })
}

// OpenFailing does what Open does, with a function that may refuse each step of a write.
func OpenFailing(cfg Config, step func(string) error) (*Cache, error) { return open(cfg, step) }

// OpenOrDoWithout does what Open does, with a function that may refuse each step of a write.
func OpenOrDoWithout(cfg Config, step func(string) error) (*Cache, error) {
	return openOrDoWithout(cfg, step)
}

// Seal and Unseal are the format of entries.
func (c *Cache) Seal(name string, value []byte) []byte          { return c.seals.seal(name, value) }
func (c *Cache) Unseal(name string, file []byte) ([]byte, bool) { return c.seals.open(name, file) }
