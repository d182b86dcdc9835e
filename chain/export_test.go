package chain

// SizeHeld is what Cache and Store count for a release.
var SizeHeld = sizeHeld
