// Package monitoring tests what deploy/components/monitoring has for Prometheus and
// Grafana with Prometheus's own parser and engine: that the alert rules are valid and
// fire when they should and not else, that the dashboard's panels show something, that
// every metric is one that docs/operators.md tells of, and that every alert has its
// runbook.
//
// It is a module of its own, because that engine brings much that the project does not
// need otherwise. The files are outside of it, so that go test does not notice when they
// change: run it with -count=1, as make test does.
package monitoring
