package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// The part of CycloneDX 1.6 that says what Go binaries and images are made of
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
		Version    string     `json:"version,omitempty"`
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
func sbom(of binary, version string) ([]byte, error) {
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{application(of, version)}}
	if err := b.addModules(b.Metadata.Component.Ref, of.info); err != nil {
		return nil, err
	}
	return b.json()
}

// imageSBOM returns the bill of materials of an image for one platform: its programs, what they are
// made of, and its base, "" for none. What is in the base is for whoever made that to say.
func imageSBOM(image component, base string, programs []binary, version string) ([]byte, error) {
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{image}}
	whole := dependency{Ref: image.Ref}
	b.Dependencies = []dependency{whole}
	if base != "" {
		c := container("base", "", base, nil)
		b.Components = append(b.Components, c)
		whole.On = append(whole.On, c.Ref)
	}
	for _, p := range programs {
		c := application(p, version)
		c.Name = p.name
		c.PURL += "#cmd/" + p.name
		c.Ref = c.PURL
		b.Components = append(b.Components, c)
		whole.On = append(whole.On, c.Ref)
		if err := b.addModules(c.Ref, p.info); err != nil {
			return nil, err
		}
	}
	b.Dependencies[0] = whole
	return b.json()
}

// container returns an image of a digest, which stands for its content.
func container(name, version, digest string, qualifiers url.Values) component {
	purl := "pkg:oci/" + name + "@" + url.QueryEscape(digest)
	if len(qualifiers) > 0 {
		purl += "?" + qualifiers.Encode()
	}
	return component{
		Type: "container", Ref: purl, PURL: purl, Name: name, Version: version,
		Hashes: []hash{{"SHA-256", strings.TrimPrefix(digest, "sha256:")}},
	}
}

// application returns a binary as a component.
func application(of binary, version string) component {
	purl := packageURL(of.info.Main.Path, version)
	c := component{
		Type: "application", Ref: purl, PURL: purl, Name: of.info.Main.Path, Version: version,
		Hashes: []hash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(of.content))}},
	}
	for _, s := range of.info.Settings {
		c.Properties = append(c.Properties, property{"go:build:" + s.Key, s.Value})
	}
	return c
}

// addModules adds the modules that the component ref is made of, those that are new as components.
func (b *bom) addModules(ref string, info *buildinfo.BuildInfo) error {
	of := dependency{Ref: ref}
	add := func(module, version, sum string) {
		purl := packageURL(module, version)
		of.On = append(of.On, purl)
		if slices.ContainsFunc(b.Components, func(c component) bool { return c.Ref == purl }) {
			return
		}
		c := component{Type: "library", Ref: purl, PURL: purl, Name: module, Version: version}
		if sum != "" {
			c.Hashes = []hash{{"SHA-256", sum}}
		}
		b.Components = append(b.Components, c)
	}
	add("std", strings.TrimPrefix(info.GoVersion, "go"), "")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		sum, err := moduleHash(m)
		if err != nil {
			return err
		}
		add(m.Path, m.Version, sum)
	}
	b.Dependencies = append(b.Dependencies, of)
	return nil
}

func (b *bom) json() ([]byte, error) {
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
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
