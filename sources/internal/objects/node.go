package objects

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Where nodes keep what says from where they pull (containers-registries.conf(5)).
const (
	confPath   = "/etc/containers/registries.conf"
	dropInPath = confPath + ".d/"
)

// maxConf bounds a compressed registries.conf.
const maxConf = 4 << 20

// nodeFile is a file that an object puts onto nodes.
type nodeFile struct {
	object string // the name of the MachineConfig: the later one counts
	role   string
	where  string
	data   []byte
}

// machineConfig reads the files of a MachineConfig (machineconfiguration.openshift.io/v1)
// that concern pulls.
func (r *reader) machineConfig(o Object, fields []field) error {
	spec, err := r.fields(o, "spec", get(fields, "spec"))
	if err != nil {
		return err
	}
	config, err := r.fields(o, "config", get(spec, "config"))
	if err != nil {
		return err
	}
	meta, err := r.fields(o, "metadata", get(fields, "metadata"))
	if err != nil {
		return err
	}
	labels, err := r.fields(o, "labels", get(meta, "labels"))
	if err != nil {
		return err
	}
	role, err := r.text(o.String(), "the role", get(labels, "machineconfiguration.openshift.io/role"))
	if err != nil {
		return err
	}
	return r.nodeFiles(o, role, config)
}

// nodeFiles reads storage.files of an Ignition or Butane config.
func (r *reader) nodeFiles(o Object, role string, config []field) error {
	storage, err := r.fields(o, "storage", get(config, "storage"))
	if err != nil {
		return err
	}
	files, err := r.list(o, "storage.files", get(storage, "files"))
	if err != nil {
		return err
	}
	read := false
	for _, n := range files {
		file, err := r.fields(o, "a file", n)
		if err != nil {
			return err
		}
		path, err := r.text(o.String(), "path", get(file, "path"))
		if err != nil {
			return err
		}
		if path != confPath && !(strings.HasPrefix(path, dropInPath) && strings.HasSuffix(path, ".conf")) {
			continue
		}
		read = true
		at := o
		at.Line = r.line(n)
		f := nodeFile{object: o.Name, role: role, where: at.String() + " " + path}
		if f.data, err = r.contents(o, file); err != nil {
			return invalid(f.where, "%w", err)
		}
		r.putOntoNode(path, f)
	}
	if !read {
		return r.skip(o, nil)
	}
	return nil
}

// putOntoNode lets the file of the later object by name replace that of the earlier one,
// as the machine-config operator does for the objects of one role.
func (s *Set) putOntoNode(path string, f nodeFile) {
	old, twice := s.node[path]
	if twice && old.object > f.object {
		old, f = f, old
	}
	s.node[path] = f
	if twice && old.role != f.role && !bytes.Equal(old.data, f.data) {
		s.out.Warnings = append(s.out.Warnings, policy.Warning{
			Code: policy.WarnNotEnforced, Origins: []string{old.where, f.where},
			Message: fmt.Sprintf("%s differs for the roles %q and %q; that of %q counts here: name the files of one role alone", path, old.role, f.role, f.role),
		})
	}
}

// contents returns the text of a file: inline, as Butane has it, or a data URL (RFC 2397).
func (r *reader) contents(o Object, file []field) ([]byte, error) {
	contents, err := r.fields(o, "contents", get(file, "contents"))
	if err != nil {
		return nil, err
	}
	if inline := get(contents, "inline"); inline != nil {
		text, err := r.text(o.String(), "inline", inline)
		return []byte(text), errors.Join(err, r.spend(o, len(text)))
	}
	source, err := r.text(o.String(), "source", get(contents, "source"))
	if err != nil {
		return nil, err
	}
	compression, err := r.text(o.String(), "compression", get(contents, "compression"))
	if err != nil {
		return nil, err
	}
	if err := r.spend(o, len(source)); err != nil {
		return nil, err
	}
	data, err := dataURL(source)
	if err == nil && compression == "gzip" {
		data, err = unzip(data)
	}
	return data, err
}

// dataURL decodes a data URL. Percent-encoding may be partial: what is not encoded stands
// for itself.
func dataURL(source string) ([]byte, error) {
	rest, ok := strings.CutPrefix(source, "data:")
	media, text, comma := strings.Cut(rest, ",")
	switch {
	case source == "":
		return nil, nil
	case !ok || !comma:
		return nil, errors.New("the contents are not in the object: want a data: URL")
	}
	decoded, err := url.PathUnescape(text)
	if err != nil {
		decoded = text // a "%" that stands for itself
	}
	if !strings.HasSuffix(media, ";base64") {
		return []byte(decoded), nil
	}
	decoded = strings.Join(strings.Fields(decoded), "")
	data, err := base64.StdEncoding.DecodeString(decoded)
	if err != nil {
		data, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(decoded, "="))
	}
	if err != nil {
		return nil, errors.New("the data: URL is not base64")
	}
	return data, nil
}

func unzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("the contents are not gzip")
	}
	out, err := io.ReadAll(io.LimitReader(z, maxConf+1))
	if err != nil {
		return nil, errors.New("the contents are not gzip")
	}
	if len(out) > maxConf {
		return nil, fmt.Errorf("the contents have more than %d bytes", maxConf)
	}
	return out, nil
}

// isIgnition recognises an Ignition or Butane config, which has no kind.
func isIgnition(fields []field) bool {
	ignition := follow(get(fields, "ignition"))
	return ignition != nil && ignition.Kind == yaml.MappingNode || get(fields, "variant") != nil && get(fields, "storage") != nil
}
