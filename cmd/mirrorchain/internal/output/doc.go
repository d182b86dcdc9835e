// Package output writes what the command prints: results in the format that the
// user asked for, and text in lines and tables that nothing in a release, a registry
// or a policy can forge.
package output
