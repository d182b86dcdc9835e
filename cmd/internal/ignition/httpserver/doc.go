// Package httpserver is the HTTPS endpoint at which booting nodes fetch their Ignition
// payload. Paths, status codes and bodies are HyperShift's.
//
//	GET /ignition
//	Authorization: Bearer BASE64(TOKEN)
//
// It answers 200 with the payload as "application/json; charset=utf-8". Without a
// readable token it answers 401 "Unauthorized". For a token that is not known (yet) it
// answers 511 "Token not found", so that Ignition tries again. If the stored payload is
// not an Ignition config it answers 500 "Invalid ignition payload". Other paths get 404.
//
// GET /healthz answers 200, or 503 while another server should be asked, for some minutes
// at most. HyperShift's Deployments use it for both probes; the liveness probe tolerates
// 503 for longer than that lasts. GET /readyz, which HyperShift does not have, answers 503
// for as long as a rollout should not go on with this server.
//
// Any method is accepted. TLS 1.2 is the minimum, and HTTP/2 is off.
//
// A request without a valid token has no effects: no event, no metric under a name from
// the request, no write to the cluster. After a payload was served, events and metrics
// carry the names that the payload was stored with, not those in the request's headers,
// and no node waits for them.
package httpserver
