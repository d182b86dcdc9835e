// Package machineconfig makes a release whose machine-config programs are one small
// program of ours, so that the ignition server's pipeline can be run as it is: it
// checks what it is called with, does what each of them does as far as the pipeline
// sees it, and puts what went in into the Ignition config that comes out.
//
//	program, err := machineconfig.Build(ctx)
//	release, err := machineconfig.Release{Source: "quay.io", Program: program}.Images()
//	release.PushTo(mirror.Push)
//	release.Pullspec // is what a token secret names
//	machineconfig.ConfigMap("") // is the data of ConfigMap machine-config-server
//	files, err := machineconfig.Decode(body) // is what came out
//
// It is for what can go wrong, and for what the programs are called with. [NewReal] has
// the programs themselves:
//
//	real := machineconfig.NewReal(t)
//	release, err := real.Release(t, "quay.io").Images()
//	machineconfig.RealConfigMap(authority, nil) // is the ConfigMap's data
//
// The package is for tests.
package machineconfig
