package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
)

// manifest reads a file of deploy/operator.
func manifest(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy.Folder(t, "operator"), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// The manifests allow what the code says that it needs, and nothing else.
func TestManifestRules(t *testing.T) {
	var cluster rbacv1.ClusterRole
	manifest(t, "clusterrole.yaml", &cluster)
	compareRules(t, "clusterrole.yaml", cluster.Rules, hostedcluster.OperatorRules())
	var own rbacv1.Role
	manifest(t, "role.yaml", &own)
	compareRules(t, "role.yaml", own.Rules, hostedcluster.NamespaceRules())
}

func compareRules(t *testing.T, file string, have, want []rbacv1.PolicyRule) {
	t.Helper()
	allowed, needed := flatten(t, have), flatten(t, want)
	for _, a := range allowed {
		if !slices.Contains(needed, a) {
			t.Errorf("%s allows what the code does not need: %s", file, a)
		}
	}
	for _, n := range needed {
		if !slices.Contains(allowed, n) {
			t.Errorf("%s does not allow what the code needs: %s", file, n)
		}
	}
	if len(needed) == 0 {
		t.Error("the code needs nothing")
	}
}

// flatten returns one line for each single thing that rules allow.
func flatten(t *testing.T, rules []rbacv1.PolicyRule) (out []string) {
	t.Helper()
	for _, r := range rules {
		if slices.Contains(r.Verbs, "*") || slices.Contains(r.Resources, "*") || slices.Contains(r.APIGroups, "*") || len(r.NonResourceURLs) > 0 {
			t.Errorf("a rule for everything: %v", r)
		}
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{"any"}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range names {
					for _, verb := range r.Verbs {
						out = append(out, strings.Join([]string{verb, resource + "." + group, name}, " "))
					}
				}
			}
		}
	}
	return out
}

// What the Deployments say to the program it understands.
func TestManifestFlags(t *testing.T) {
	var d appsv1.Deployment
	manifest(t, "deployment.yaml", &d)
	parse(t, "deploy/operator", d.Spec.Template.Spec.Containers[0].Args)
	args := deploy.Deployment(t, deploy.Build(t, "everything")).Spec.Template.Spec.Containers[0].Args
	parse(t, "deploy/everything", args)
	if len(args) < len(d.Spec.Template.Spec.Containers[0].Args)+3 {
		t.Errorf("with everything it has only %q", args)
	}
}

// The components that no overlay of ours has can be added, and their flags are understood.
func TestOtherComponents(t *testing.T) {
	for component, want := range map[string][]string{
		"verify-signatures": {"--verify-signatures=next", "--image-policy=cluster:", "--signatures=cluster:"},
		"status-page":       {"--status-bind-address=127.0.0.1:8082"},
	} {
		root, site := deploy.Folder(t, "."), t.TempDir()
		if err := os.CopyFS(site, os.DirFS(root)); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(site, "site")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../operator]\ncomponents: [../components/" + component + "]\n"
		if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		args := deploy.Deployment(t, deploy.Build(t, relative)).Spec.Template.Spec.Containers[0].Args
		parse(t, "deploy/components/"+component, args)
		for _, w := range want {
			if !slices.Contains(args, w) {
				t.Errorf("%s is not among %q", w, args)
			}
		}
	}
}

func parse(t *testing.T, who string, args []string) {
	t.Helper()
	cmd, rest, err := hostedcluster.Command("test").Find(args)
	if err != nil || cmd.Name() != "run" {
		t.Fatalf("%s: %v has no command run: %v", who, args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", who, err)
	}
	if extra := cmd.Flags().Args(); len(extra) > 0 {
		t.Errorf("%s: %q are no flags", who, extra)
	}
	// What is said must be meant: those that matter are set, and probes ask where it listens.
	for name, want := range map[string]string{
		"namespace": "$(MY_NAMESPACE)", "pod-name": "$(MY_NAME)", "metrics-addr": ":9000", "health-addr": ":6060", "leader-elect": "true",
	} {
		if got := cmd.Flag(name).Value.String(); got != want {
			t.Errorf("%s: --%s is %q, want %q", who, name, got, want)
		}
	}
}

// docs/security.md names every right of the manifests, and says why; and it names no other.
func TestRightsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy.Folder(t, ".."), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]rbacv1.PolicyRule{}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		kind, rest, _ := strings.Cut(part, " `hypershift-operator`")
		for line := range strings.Lines(rest) {
			cells := strings.Split(strings.Trim(line, "|\n"), "|")
			if len(cells) != 5 || !strings.Contains(cells[1], "`") {
				continue
			}
			list := func(i int) []string {
				names := strings.Trim(cells[i], " `")
				if names == "core" {
					return []string{""}
				}
				return slices.DeleteFunc(strings.Split(names, ","), func(name string) bool { return name == "" })
			}
			if strings.TrimSpace(cells[4]) == "" {
				t.Errorf("docs/security.md does not say why: %s", line)
			}
			documented[kind] = append(documented[kind], rbacv1.PolicyRule{APIGroups: list(0), Resources: list(1), ResourceNames: list(2), Verbs: list(3)})
		}
	}
	var cluster rbacv1.ClusterRole
	manifest(t, "clusterrole.yaml", &cluster)
	compareRules(t, "docs/security.md, ClusterRole", documented["ClusterRole"], cluster.Rules)
	var own rbacv1.Role
	manifest(t, "role.yaml", &own)
	compareRules(t, "docs/security.md, Role", documented["Role"], own.Rules)

	// Of the status page, whose rights are few: each is in the row of its ClusterRole.
	var viewer rbacv1.ClusterRole
	manifest(t, "../components/status-page-service/clusterrole.yaml", &viewer)
	var delegator rbacv1.ClusterRoleBinding
	manifest(t, "../components/status-page-service/clusterrolebinding.yaml", &delegator)
	rows := map[string]string{}
	_, table, _ := strings.Cut(string(text), "\n## Status page\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, row, _ := strings.Cut(rest, "`")
			rows[name] = row
		}
	}
	if len(rows) != 2 || rows[delegator.RoleRef.Name] == "" {
		t.Errorf("docs/security.md has rows for %v; want one for %s and one for %s", slices.Collect(maps.Keys(rows)), delegator.RoleRef.Name, viewer.Name)
	}
	for _, r := range viewer.Rules {
		if len(r.APIGroups)+len(r.Resources) > 0 {
			t.Errorf("%s allows more than a URL: %v", viewer.Name, r)
		}
		for _, word := range slices.Concat(r.Verbs, r.NonResourceURLs) {
			if !strings.Contains(rows[viewer.Name], "`"+word+"`") {
				t.Errorf("docs/security.md does not say that %s has %s", viewer.Name, word)
			}
		}
	}
}
