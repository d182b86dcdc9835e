package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// ExitError ends the process with a code. Err is told on stderr, nil if there is nothing to tell.
type ExitError struct {
	Code int
	Err  error
}

// Error returns Err's text.
func (e *ExitError) Error() string { return fmt.Sprint(e.Err) }

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Main runs cmd with the process's arguments and returns the exit code: 0, that of an
// [ExitError], or 1 after any other error, which is told on stderr. SIGINT and SIGTERM end the command's
// context; a second one ends the process at once.
func Main(cmd *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on the default: the next signal kills
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(ctx)
	code := 0
	if err != nil {
		code = 1
	}
	if exit, ok := errors.AsType[*ExitError](err); ok {
		code, err = exit.Code, exit.Err
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", cmd.Name(), err)
	}
	return code
}

// NewLogger writes JSON lines to w from level on: debug, info, warn or error.
func NewLogger(w io.Writer, level string) (*zap.Logger, error) {
	lvl, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(enc), zapcore.Lock(zapcore.AddSync(w)), lvl)
	return zap.New(core, zap.AddCaller(), zap.AddStacktrace(zapcore.PanicLevel)), nil
}

// Logr returns log for libraries that want a logr.Logger. Nil is silent.
func Logr(log *zap.Logger) logr.Logger {
	if log == nil {
		return logr.Discard()
	}
	return zapr.NewLogger(log)
}

// Slog returns log for packages that log to a *slog.Logger: it writes what log writes.
// Nil is silent.
func Slog(log *zap.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName(log.Name()), zapslog.WithCaller(true),
		zapslog.AddStacktraceAt(math.MaxInt))) // never: NewLogger has none below a panic
}

// SetProcessLogger gives log to the two libraries that log to a variable of the
// process, controller-runtime and client-go. It is for main, once, and not for tests.
func SetProcessLogger(log *zap.Logger) {
	l := Logr(log)
	ctrl.SetLogger(l)
	klog.SetLogger(l.WithName("klog"))
}

// RESTConfig returns the connection to the cluster: that of the kubeconfig file, if one is
// named; else of $KUBECONFIG or ~/.kube/config; else the pod's own. Requests are not
// limited on our side: the API server's priority and fairness does that better, and a
// change of policy must reach all hosted clusters soon.
func RESTConfig(kubeconfig, userAgent string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	cfg.QPS = -1
	cfg.UserAgent = userAgent
	return cfg, nil
}
