// Package chart compares the Helm chart of deploy/chart with what kustomize makes of deploy. It is a
// module of its own, so that Helm is no dependency of the project.
package chart
