package assembly

// EndpointTimeoutHelp explains the flag --endpoint-timeout of all binaries.
const EndpointTimeoutHelp = "how long an endpoint may be silent while others are left to be asked; 0 is 3s to connect, 5s to begin an answer " +
	"and 10s within it; the last one left has all the time of the lookup"
