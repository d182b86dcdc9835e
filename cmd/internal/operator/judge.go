package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
)

// Limits of a dry run.
const (
	// judgeStart is how long it waits for the policies.
	judgeStart = time.Minute
	// JudgeEach is how long it takes for one object, whose two releases may take [LookupLimit]
	// each.
	JudgeEach = 3 * LookupLimit
	// judgeAgain is when an object is judged again that was read too early.
	judgeAgain = 100 * time.Millisecond
	// judgedAtOnce is how many objects are judged at once.
	judgedAtOnce = 40
)

// ErrJudgedEarly is of an object that cannot be judged to the end yet. It is judged again.
var ErrJudgedEarly = errors.New("not judged to the end")

// Judgement judges each object of a kind once.
type Judgement struct {
	// List is of the kind, and Options say which of its objects.
	List    client.ObjectList
	Options []client.ListOption
	// Missing returns why objects cannot be judged yet, such as that a policy was not read, nil
	// when they can.
	Missing func() error
	// Judge reconciles an object with the client of a dry run. After an [ErrJudgedEarly] or a
	// conflict it is called again.
	Judge func(context.Context, client.ObjectKey) error
}

// Run starts mgr, which is one with [Config].DryRun, judges all objects, and ends. It returns those that
// could not be judged.
func (j Judgement) Run(ctx context.Context, mgr manager.Manager) (failed []Failure, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var judging error
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		defer end()
		failed, judging = j.all(ctx, mgr.GetAPIReader(), mgr.GetScheme())
		return nil
	}))
	if err == nil {
		err = mgr.Start(ctx)
	}
	return failed, cmp.Or(err, judging)
}

func (j Judgement) all(ctx context.Context, live client.Reader, types *runtime.Scheme) ([]Failure, error) {
	starting, cancel := context.WithTimeout(ctx, judgeStart)
	defer cancel()
	for {
		err := j.Missing()
		if err == nil {
			break
		}
		if sleep.For(starting, judgeAgain) != nil {
			return nil, fmt.Errorf("the policies could not be read within %v: %w", judgeStart, err)
		}
	}
	if err := live.List(starting, j.List, j.Options...); err != nil {
		return nil, fmt.Errorf("listing what is to be judged: %w", err)
	}
	var mu sync.Mutex
	var failed []Failure
	var group errgroup.Group
	group.SetLimit(judgedAtOnce)
	err := meta.EachListItem(j.List, func(item runtime.Object) error {
		gvk, err := apiutil.GVKForObject(item, types)
		if err != nil {
			return err
		}
		key := client.ObjectKeyFromObject(item.(client.Object))
		group.Go(func() error {
			if err := j.one(ctx, key); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, Failure{Name: gvk.Kind + " " + key.String(), Error: err.Error()})
			}
			return nil
		})
		return nil
	})
	_ = group.Wait()
	slices.SortFunc(failed, func(a, b Failure) int { return cmp.Compare(a.Name, b.Name) })
	return failed, cmp.Or(err, ctx.Err())
}

// one judges one object to the end.
func (j Judgement) one(ctx context.Context, key client.ObjectKey) error {
	ctx, cancel := context.WithTimeout(ctx, JudgeEach)
	defer cancel()
	for {
		err := j.Judge(ctx, key)
		if !apierrors.IsConflict(err) && !errors.Is(err, ErrJudgedEarly) {
			return err
		}
		if sleep.For(ctx, judgeAgain) != nil {
			return fmt.Errorf("not judged within %v: %w", JudgeEach, err)
		}
	}
}

// DryRunFlags are those of operators that can say what they would write.
type DryRunFlags struct {
	// DryRun says that nothing is to be written.
	DryRun bool
	output string
}

// Register adds the flags to s.
func (f *DryRunFlags) Register(s *pflag.FlagSet) {
	s.BoolVar(&f.DryRun, "dry-run", false, "write nothing; print once what would change, and exit with code 0 if nothing would, 1 if something would, 2 if that is not known")
	s.StringVarP(&f.output, "output", "o", "text", "`FORMAT` of what --dry-run prints: text or json")
}

// Run runs operate, for cmd that has the flags. What goes wrong in a dry run ends it with code 2.
func (f *DryRunFlags) Run(cmd *cobra.Command, operate func() error) error {
	err := f.check(cmd)
	if err == nil {
		err = operate()
	}
	if _, judged := errors.AsType[*ExitError](err); f.DryRun && err != nil && !judged {
		return &ExitError{Code: 2, Err: err}
	}
	return err
}

func (f *DryRunFlags) check(cmd *cobra.Command) error {
	switch {
	case f.output != "text" && f.output != "json":
		return fmt.Errorf("--output: %q is neither text nor json", f.output)
	case !f.DryRun && cmd.Flags().Changed("output"):
		return errors.New("--output has no effect without --dry-run")
	}
	return nil
}

// Tell prints what came of a dry run to w, and returns what ends the process.
func (f *DryRunFlags) Tell(w io.Writer, j Judged) error {
	if err := j.Print(w, f.output); err != nil {
		return err
	}
	return j.Exit()
}
