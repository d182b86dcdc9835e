// Package endpoint is the HTTPS endpoint at which booting nodes fetch their Ignition
// payload: HyperShift's, to the status codes and bodies.
//
//	GET /ignition
//	Authorization: Bearer BASE64(TOKEN)
//
// answers 200 with the payload as "application/json; charset=utf-8"; 401
// "Unauthorized" without a token that can be read; 511 "Token not found" for one
// that is not known, or not yet, so that Ignition tries again; 500 "Invalid ignition
// payload" where what is stored is no Ignition config; 404 for other paths. GET
// /healthz answers 200 or, while it is better to ask another server, 503: Deployments
// have it as both probes, and the liveness probe has more patience than that lasts. Any method will do. TLS 1.2 is the least, and HTTP/2 is off.
//
// Who has no valid token causes nothing: no event, no metric by a name of their
// choosing, no write to the cluster. What happens after a payload was served is
// reported under the names that the payload was stored with, not under those of the
// request's headers, and never makes a node wait.
package endpoint
