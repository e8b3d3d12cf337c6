package migrations

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Canary makes [ApplyAll] migrate the first n schemas that are not up to date before the others, and then call confirm, once, with what has
// been done so far. If it returns an error, no other schema begins: the [AllError] wraps that error, and the others are in
// [AllResult.NotReached]. If confirm is nil, the run goes on if none of the n has failed. Without a schema that has to be migrated confirm
// is not called.
func Canary(n int, confirm func(ctx context.Context, result *AllResult) error) Option {
	return func(o *options) error {
		if n < 1 {
			return fmt.Errorf("Canary(%d): at least one schema comes first", n)
		}
		if confirm == nil {
			confirm = noneFailed
		}
		o.forAll, o.canaries, o.confirm = "Canary", n, confirm
		return nil
	}
}

var errCanary = errors.New("pgdbm: migrations: a schema of those that came first has failed")

func noneFailed(_ context.Context, result *AllResult) error {
	if len(result.Failed) > 0 {
		return errCanary
	}
	return nil
}

// soFar returns a copy of the result.
func (a *all) soFar() *AllResult {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := *a.result
	r.Applied, r.UpToDate, r.Failed, r.NotReached = slices.Clone(r.Applied), slices.Clone(r.UpToDate), slices.Clone(r.Failed), slices.Clone(r.NotReached)
	return &r
}

// OnlyFailed makes [ApplyAll] leave out all schemas but those that an earlier run has not migrated: that failed in it, or that it did not reach.
// The earlier result may have been read from JSON.
func OnlyFailed(previous *AllResult) Option {
	return func(o *options) error {
		if previous == nil {
			return errors.New("OnlyFailed(nil): pass the result of the earlier run")
		}
		o.forAll, o.only = "OnlyFailed", map[string]bool{}
		for _, f := range previous.Failed {
			o.only[f.Schema] = true
		}
		for _, schema := range previous.NotReached {
			o.only[schema] = true
		}
		return nil
	}
}

// Order sorts the schemas of [ApplyAll] and [StatusAll] before the run begins, as slices.SortStableFunc does. By default they are migrated in
// the order in which they are given; several at once with [Parallel].
func Order(compare func(a, b string) int) Option {
	return func(o *options) error {
		if compare == nil {
			return errors.New("Order(nil): pass a function that compares names, such as strings.Compare")
		}
		o.forAll, o.order = "Order", compare
		return nil
	}
}

// inOrder returns the names of the schemas in the order of the run.
func (o *options) inOrder(schemas iter.Seq[string]) []string {
	names := slices.Collect(schemas)
	if o.order != nil {
		slices.SortStableFunc(names, o.order)
	}
	return names
}
