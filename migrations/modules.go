package migrations

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CycleError says that modules depend on each other in a circle.
type CycleError struct {
	Modules []string // the circle: the first is the last
}

// Error shows the circle.
func (e *CycleError) Error() string {
	return "pgdbm: these modules depend on each other in a circle, so none can be the first: " + strings.Join(e.Modules, " -> ")
}

// ApplyModules applies each Migrator, those that others depend on first, and otherwise in the given order. It stops at the
// first error; the results are those of the modules that it has begun. Each module must have a name, see [Module], and all
// that [DependsOn] names must be there. The error is a *[CycleError] if there is no such order.
func ApplyModules(ctx context.Context, modules ...*Migrator) ([]*Result, error) {
	ordered, err := inDependencyOrder(modules)
	if err != nil {
		return nil, err
	}
	var results []*Result
	for _, m := range ordered {
		result, err := m.Apply(ctx)
		results = append(results, result)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func inDependencyOrder(modules []*Migrator) ([]*Migrator, error) {
	byName := map[string]*Migrator{}
	for i, m := range modules {
		switch {
		case m == nil || m.options.module == "":
			return nil, fmt.Errorf("pgdbm: ApplyModules: number %d has no name: use the option Module", i+1)
		case byName[m.options.module] != nil:
			return nil, fmt.Errorf("pgdbm: ApplyModules: there are two modules %q", m.options.module)
		}
		byName[m.options.module] = m
	}
	var ordered []*Migrator
	var path []string // of those that are being visited
	var visit func(m *Migrator) error
	visit = func(m *Migrator) error {
		name := m.options.module
		if i := slices.Index(path, name); i >= 0 {
			return &CycleError{Modules: append(slices.Clone(path[i:]), name)}
		}
		if slices.Contains(ordered, m) {
			return nil
		}
		path = append(path, name)
		for _, dependency := range m.options.dependsOn {
			other := byName[dependency]
			if other == nil {
				return fmt.Errorf("pgdbm: ApplyModules: module %q depends on %q, which is not among the modules", name, dependency)
			}
			if err := visit(other); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		ordered = append(ordered, m)
		return nil
	}
	for _, m := range modules {
		if err := visit(m); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}
