package jsonschema

import (
	"encoding/json"
	"strings"
	"testing"
)

// Tree is a thing with everything that a schema can say.
type Tree struct {
	Name   string            `json:"name"` // what it is called
	Height *float            `json:"-"`
	Size   *int64            `json:"size,omitempty"`
	Parent *Leaf             `json:"parent"`
	Leaves []Leaf            `json:"leaves"`
	Colors map[string]string `json:"colors"`
	Embedded
	hidden int
}

type float float64

// Leaf holds itself.
type Leaf struct {
	Green bool   `json:"green"`
	Next  []Leaf `json:"next"`
}

// Embedded is part of what holds it.
type Embedded struct {
	Count int `json:"count"`
}

func TestOfAndCheck(t *testing.T) {
	_ = Tree{}.hidden
	m := Maker{Module: "github.com/mirrorchain/mirrorchain", Root: "../../.."}
	s, err := m.Of(Tree{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Parse(text); err != nil {
		t.Fatal(err)
	}
	const good = `{"name":"a","parent":null,"leaves":[{"green":true,"next":[]}],"colors":{"x":"y"},"count":1}`
	if err := s.Check([]byte(good)); err != nil {
		t.Error(err)
	}
	for change, want := range map[string]string{
		`"name":"a" -> "name":1`:            ".name: integer, want [string]",
		`"count":1 -> "count":1.5`:          ".count: number, want [integer]",
		`"name":"a", -> `:                   `no "name"`,
		`"parent":null -> "parent":{}`:      `.parent: `,
		`"green":true -> "green":null`:      ".leaves.0.green: null",
		`"x":"y" -> "x":[]`:                 ".colors.x: array",
		`"next":[] -> "next":[{"green":1}]`: ".leaves.0.next.0: ",
		`"count":1 -> "count":1,"more":2`:   `knows no "more"`,
		`"count":1 -> "count":1,"size":"1"`: ".size: string",
		`"count":1} -> "count":`:            "EOF",
	} {
		from, to, _ := strings.Cut(change, " -> ")
		if err := s.Check([]byte(strings.Replace(good, from, to, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
}

// What is checked is never more than what is understood.
func TestUnknownKeyword(t *testing.T) {
	if _, err := Parse([]byte(`{"type":"string","pattern":"^a$"}`)); err == nil {
		t.Error("no error")
	}
}

func TestNoSchema(t *testing.T) {
	m := Maker{Module: "github.com/mirrorchain/mirrorchain", Root: "../../.."}
	for _, v := range []any{struct {
		A chan int `json:"a"`
	}{}, Foreign{}} {
		if _, err := m.Of(v); err == nil {
			t.Errorf("%T: no error", v)
		}
	}
}

// Foreign has a type with a JSON of its own.
type Foreign struct {
	A Types `json:"a"`
}
