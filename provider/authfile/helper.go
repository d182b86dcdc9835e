package authfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/mirrorchain/mirrorchain/provider"
)

const (
	defaultHelperTimeout = 15 * time.Second
	// tokenUser is the user name by which a helper says that its secret is an
	// OAuth2 refresh token.
	tokenUser = "<token>"
)

type helperKey struct{ helper, registry string }

type helperAnswer struct {
	cred provider.Credential
	ok   bool
	err  error
}

// ask runs a helper for a registry, once however many repositories want it.
func (s *search) ask(ctx context.Context, helper, registry string) (provider.Credential, bool, error) {
	key := helperKey{helper, registry}
	a, done := s.helpers[key]
	if !done {
		timeout := s.cfg.HelperTimeout
		if timeout <= 0 {
			timeout = defaultHelperTimeout
		}
		a = runHelper(ctx, helper, registry, timeout)
		if s.helpers == nil {
			s.helpers = make(map[helperKey]helperAnswer)
		}
		s.helpers[key] = a
	}
	return a.cred, a.ok, a.err
}

func runHelper(ctx context.Context, helper, registry string, timeout time.Duration) helperAnswer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	server := registry
	if registry == "docker.io" {
		server = "https://index.docker.io/v1/" // the name docker stores it under
	}
	name := "docker-credential-" + helper
	p := &program{}
	got, err := client.Get(func(args ...string) client.Program {
		p.cmd = exec.CommandContext(ctx, name, args...)
		p.cmd.WaitDelay = time.Second // a child of its own may hold its output open
		endGroup(p.cmd)
		return p
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return helperAnswer{}
	case err != nil:
		return helperAnswer{err: fmt.Errorf("%s: %w", name, p.why(ctx, timeout))}
	case got.Secret == "":
		return helperAnswer{}
	case got.Username == tokenUser:
		return helperAnswer{cred: provider.NewIdentityToken(got.Secret), ok: true}
	case got.Username == "":
		return helperAnswer{err: fmt.Errorf("%s: its answer has no user name", name)}
	}
	return helperAnswer{cred: provider.NewCredential(got.Username, got.Secret), ok: true}
}

// program keeps its own error, because the client's quotes what the helper
// printed, which may be the secret.
type program struct {
	cmd *exec.Cmd
	err error
}

func (p *program) Input(in io.Reader) { p.cmd.Stdin = in }

func (p *program) Output() ([]byte, error) {
	out := &boundedOutput{}
	p.cmd.Stdout = out
	p.err = p.cmd.Run()
	if p.cmd.Process != nil {
		_ = p.cmd.Cancel() // what it has left running
	}
	switch {
	case out.exceeded:
		p.err = errTooMuch
	case errors.Is(p.err, exec.ErrWaitDelay):
		// It has answered and gone; only somebody that it started holds the output open.
		p.err = nil
	}
	return out.content, p.err
}

// maxOutput is far more than any credential.
const maxOutput = 256 << 10

var errTooMuch = fmt.Errorf("its answer has more than %d bytes", maxOutput)

// boundedOutput keeps what a program prints, and ends it by a broken pipe where that is
// too much.
type boundedOutput struct {
	content  []byte // no bytes.Buffer, which io.Copy would fill by itself
	exceeded bool
}

func (b *boundedOutput) Write(p []byte) (int, error) {
	if len(b.content)+len(p) > maxOutput {
		b.exceeded = true
		return 0, errTooMuch
	}
	b.content = append(b.content, p...)
	return len(p), nil
}

func (p *program) why(ctx context.Context, timeout time.Duration) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer within %v", timeout)
	case errors.Is(p.err, exec.ErrNotFound):
		return errors.New("no such program on the PATH")
	case errors.Is(p.err, errTooMuch):
		return errTooMuch
	case p.err != nil:
		if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
			return fmt.Errorf("failed (%s); run it by hand to see why", exit.ProcessState)
		}
		return p.err
	}
	return errors.New("its answer is not the JSON that credential helpers give")
}
