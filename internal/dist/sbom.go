package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"
)

// The part of CycloneDX 1.6 that says what a Go binary is made of
// (cyclonedx.org/docs/1.6/json).
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		Hashes     []hash     `json:"hashes,omitempty"`
		PURL       string     `json:"purl"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn,omitempty"`
	}
)

// sbom returns the bill of materials of a binary, from what the Go tool noted in it. It has
// no serial number and no time, so that the same binary has the same one.
func sbom(info *buildinfo.BuildInfo, version string, binary []byte) ([]byte, error) {
	purl := packageURL(info.Main.Path, version)
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{component{
		Type: "application", Ref: purl, PURL: purl, Name: info.Main.Path, Version: version,
		Hashes: []hash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(binary))}},
	}}}
	for _, s := range info.Settings {
		b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"go:build:" + s.Key, s.Value})
	}
	standard := strings.TrimPrefix(info.GoVersion, "go")
	b.add("std", standard, "")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		sum, err := moduleHash(m)
		if err != nil {
			return nil, err
		}
		b.add(m.Path, m.Version, sum)
	}
	main := dependency{Ref: purl}
	for _, c := range b.Components {
		main.On = append(main.On, c.Ref)
	}
	b.Dependencies = []dependency{main}
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

func (b *bom) add(module, version, sum string) {
	purl := packageURL(module, version)
	c := component{Type: "library", Ref: purl, PURL: purl, Name: module, Version: version}
	if sum != "" {
		c.Hashes = []hash{{"SHA-256", sum}}
	}
	b.Components = append(b.Components, c)
}

// packageURL returns the package URL of a module, in the case in which advisories name it.
func packageURL(module, version string) string {
	return "pkg:golang/" + module + "@" + url.QueryEscape(version) + "?type=module"
}

// moduleHash returns the hash in go.sum in hexadecimal, "" if there is none. It is that of all
// files of the module (golang.org/x/mod/sumdb/dirhash).
func moduleHash(m *debug.Module) (string, error) {
	encoded, ok := strings.CutPrefix(m.Sum, "h1:")
	if !ok {
		return "", nil
	}
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("%s: the hash in the binary: %w", m.Path, err)
	}
	return fmt.Sprintf("%x", sum), nil
}
