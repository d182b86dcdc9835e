// Package registriesconf reads containers' registries.conf, version 2, and turns
// its [[registry]] tables into Literal rules of package provider.
//
// It accepts and refuses what containers/image's sysregistriesv2 does
// (containers-registries.conf(5)); what concerns short names and credential
// helpers is ignored. It opens no file: see package sources/file.
package registriesconf
