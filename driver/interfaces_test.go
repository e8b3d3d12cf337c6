package driver_test

import (
	"context"
	sqldriver "database/sql/driver"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// interfaces are those that database/sql may ask a driver's values for.
var interfaces = []reflect.Type{
	reflect.TypeFor[sqldriver.Driver](),
	reflect.TypeFor[sqldriver.DriverContext](),
	reflect.TypeFor[sqldriver.Connector](),
	reflect.TypeFor[sqldriver.Pinger](),
	reflect.TypeFor[sqldriver.Execer](), //nolint:staticcheck // deprecated, and asked for by old programs
	reflect.TypeFor[sqldriver.ExecerContext](),
	reflect.TypeFor[sqldriver.Queryer](), //nolint:staticcheck // deprecated, and asked for by old programs
	reflect.TypeFor[sqldriver.QueryerContext](),
	reflect.TypeFor[sqldriver.Conn](),
	reflect.TypeFor[sqldriver.ConnPrepareContext](),
	reflect.TypeFor[sqldriver.ConnBeginTx](),
	reflect.TypeFor[sqldriver.SessionResetter](),
	reflect.TypeFor[sqldriver.Validator](),
	reflect.TypeFor[sqldriver.Result](),
	reflect.TypeFor[sqldriver.Stmt](),
	reflect.TypeFor[sqldriver.StmtExecContext](),
	reflect.TypeFor[sqldriver.StmtQueryContext](),
	reflect.TypeFor[sqldriver.NamedValueChecker](),
	reflect.TypeFor[sqldriver.ColumnConverter](), //nolint:staticcheck // deprecated, and still asked for
	reflect.TypeFor[sqldriver.Rows](),
	reflect.TypeFor[sqldriver.RowsNextResultSet](),
	reflect.TypeFor[sqldriver.RowsColumnTypeScanType](),
	reflect.TypeFor[sqldriver.RowsColumnTypeDatabaseTypeName](),
	reflect.TypeFor[sqldriver.RowsColumnTypeLength](),
	reflect.TypeFor[sqldriver.RowsColumnTypeNullable](),
	reflect.TypeFor[sqldriver.RowsColumnTypePrecisionScale](),
	reflect.TypeFor[sqldriver.Tx](),
	reflect.TypeFor[sqldriver.ValueConverter](),
	reflect.TypeFor[sqldriver.Valuer](),
	reflect.TypeFor[io.Closer](),
}

// newerInterfaces exist only in newer versions of Go than the go.mod's; TestMethodsAreThoseOfPgx covers them.
var newerInterfaces = []string{"RowsColumnScanner", "ScanContext"}

func TestInterfaceListIsComplete(t *testing.T) {
	t.Parallel()
	source, err := build.Import("database/sql/driver", "", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	noTests := func(info fs.FileInfo) bool { return !strings.HasSuffix(info.Name(), "_test.go") }
	packages, err := parser.ParseDir(token.NewFileSet(), source.Dir, noTests, 0) //nolint:staticcheck // no types are needed
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(packages["driver"], func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !spec.Name.IsExported() {
			return true
		}
		if _, ok := spec.Type.(*ast.InterfaceType); ok {
			found++
			listed := func(r reflect.Type) bool { return r.Name() == spec.Name.Name }
			if !slices.ContainsFunc(interfaces, listed) && !slices.Contains(newerInterfaces, spec.Name.Name) {
				t.Errorf("database/sql/driver has a new interface %s: add it to the list", spec.Name.Name)
			}
		}
		return true
	})
	if found < 25 {
		t.Errorf("only %d interfaces were found in %s", found, source.Dir)
	}
}

// driverValues are one of each kind of a driver's values, by its name. The rows are open, the transaction lasts.
type driverValues map[string]any

// eachValue calls fn with the values of the driver under name, connected to dsn under ctx.
func eachValue(ctx context.Context, t *testing.T, name, dsn string, fn func(driverValues)) {
	t.Helper()
	db := openAs(t, name, dsn)
	connector, err := db.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	err = holdConn(ctx, t, db).Raw(func(c any) error {
		tx, err := c.(sqldriver.ConnBeginTx).BeginTx(ctx, sqldriver.TxOptions{})
		if err != nil {
			return err
		}
		defer tx.Rollback()
		result, err := c.(sqldriver.ExecerContext).ExecContext(ctx, "SELECT 1", nil)
		if err != nil {
			return err
		}
		stmt, err := c.(sqldriver.ConnPrepareContext).PrepareContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		defer stmt.Close()
		stmtRows, err := stmt.(sqldriver.StmtQueryContext).QueryContext(ctx, nil)
		if err != nil {
			return err
		}
		if err := stmtRows.Close(); err != nil {
			return err
		}
		rows, err := c.(sqldriver.QueryerContext).QueryContext(ctx, "SELECT 1", nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		fn(driverValues{"driver": db.Driver(), "connector": connector, "connection": c, "transaction": tx, "result": result,
			"statement": stmt, "rows": rows, "statement's rows": stmtRows})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// added are the interfaces, each with its method, that this driver's values have and pgx's do not. A connection says
// whether its session may be seen by the next borrower.
var added = map[string]struct{ iface, method string }{"connection": {"driver.Validator", "IsValid"}}

// database/sql does another thing if an optional interface is there than if it is not.
func TestInterfacesAreThoseOfPgx(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	var want driverValues
	eachValue(t.Context(), t, "pgx", dsn, func(values driverValues) { want = values })
	bound := driver.WithSchema(t.Context(), "app")
	tests := []struct {
		what string
		ctx  context.Context
		dsn  string
	}{
		{"template mode", t.Context(), dsn},
		{"template mode, bound", bound, dsn},
		{"search_path mode", t.Context(), withSchema(t, dsn, "app")},
	}
	for _, test := range tests {
		eachValue(test.ctx, t, "pgdbm", test.dsn, func(values driverValues) {
			for name, value := range values {
				for _, iface := range interfaces {
					got, has := reflect.TypeOf(value).Implements(iface), reflect.TypeOf(want[name]).Implements(iface)
					has = has || iface.String() == added[name].iface
					if got != has {
						t.Errorf("%s: the %s implements %v: %v; in pgx: %v", test.what, name, iface, got, has)
					}
				}
			}
		})
	}
}

func methods(v any) []string {
	var names []string
	for i := range reflect.TypeOf(v).NumMethod() {
		names = append(names, reflect.TypeOf(v).Method(i).Name)
	}
	return names
}

// Interfaces that are not listed above cannot differ if the methods do not.
func TestMethodsAreThoseOfPgx(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	var want driverValues
	eachValue(t.Context(), t, "pgx", dsn, func(values driverValues) { want = values })
	eachValue(driver.WithSchema(t.Context(), "app"), t, "pgdbm", dsn, func(values driverValues) {
		for name, value := range values {
			if name == "connector" || name == "driver" {
				continue // they have methods for their users
			}
			same := slices.DeleteFunc(methods(value), func(method string) bool {
				return method == added[name].method || name == "connection" && method == "Native" // package schemadb's way in
			})
			if want := methods(want[name]); !slices.Equal(same, want) {
				t.Errorf("the %s has the methods %q, in pgx %q", name, same, want)
			}
		}
	})
}

// A promoted method of *stdlib.Conn that takes SQL would bypass the templates.
func TestMethodsThatTakeSQL(t *testing.T) {
	t.Parallel()
	want := []string{"ExecContext", "Prepare", "PrepareContext", "QueryContext"}
	var got []string
	conn := reflect.TypeFor[*stdlib.Conn]()
	for i := range conn.NumMethod() {
		method := conn.Method(i)
		for j := range method.Type.NumIn() {
			in := method.Type.In(j)
			if in.Kind() == reflect.String || in.Kind() == reflect.Slice && in.Elem().Kind() == reflect.String {
				got = append(got, method.Name)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the methods of *stdlib.Conn that take a string are %q, not %q: if one of the new ones takes SQL, override it in "+
			"conn.go so that it expands templates, add it to TestEveryMethodExpands, and then to this list", got, want)
	}
}

func TestEveryMethodExpands(t *testing.T) {
	t.Parallel()
	ctx := driver.WithSchema(t.Context(), "app")
	const query = "SELECT owner FROM {{tables.t}}"
	own := func(stmt sqldriver.Stmt, err error) error {
		if err != nil {
			return err
		}
		return stmt.Close()
	}
	err := holdConn(ctx, t, openDB(t, newTenants(t, "app"))).Raw(func(driverConn any) error {
		c := driverConn.(interface {
			sqldriver.Conn
			sqldriver.ConnPrepareContext
			sqldriver.ExecerContext
			sqldriver.QueryerContext
		})
		if err := own(c.Prepare(query)); err != nil {
			t.Errorf("Prepare: %v", err)
		}
		if err := own(c.PrepareContext(ctx, query)); err != nil {
			t.Errorf("PrepareContext: %v", err)
		}
		if _, err := c.ExecContext(ctx, query, nil); err != nil {
			t.Errorf("ExecContext: %v", err)
		}
		rows, err := c.QueryContext(ctx, query, nil)
		if err != nil {
			t.Errorf("QueryContext: %v", err)
			return nil
		}
		return rows.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What (*sql.Conn).Raw hands out leads to the *pgx.Conn.
func TestRawConnHasConn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pgx", "pgdbm"} {
		err := holdConn(t.Context(), t, openAs(t, name, server.Database(t))).Raw(func(c any) error {
			return c.(interface{ Conn() *pgx.Conn }).Conn().Ping(t.Context())
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
