package gorm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/pgdbm/pgdbm/driver"
	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/schemadb"
)

// cut reports whether GORM cuts the way's names into {{tables and users}}. Then it takes the first for the schema of an index that it
// drops or renames.
func (w way) cut() bool { return strings.Contains(w.table("x"), "tables") }

// eachEmpty runs a test in one way after the other for both tenants, whose schemas are empty, with a driver that replaces
// arguments too. Its tables are dropped, and nothing may be in public in the end.
func eachEmpty(t *testing.T, run func(test)) {
	t.Helper()
	t.Parallel()
	database := tenants.Empty(t)
	t.Cleanup(func() {
		if n := database.Int("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"); n != 0 {
			t.Errorf("public has %d tables and indexes", n)
		}
	})
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			pool := withSchemaArgs(t, database, way.mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				// Each has a GORM of its own: the migrator is not safe for concurrent use, and closes prepared statements in use.
				for _, prepare := range []bool{false, true} {
					db := open(t, pool, way.naming, prepare)
					one := test{T: t, way: way, db: db.WithContext(ctx), tenant: tenant}
					run(one)
					wantNil(t, one.db.Migrator().DropTable(one.table("post_tags"), &orm.Post{}, &orm.User{}, &orm.Tag{}, &after{}))
					one.want("what is left", one.relations(), "[]")
				}
			})
		})
	}
}

// AutoMigrate makes the tables in the tenant's schema. The second time it finds them there and changes nothing.
func TestAutoMigrate(t *testing.T) {
	eachEmpty(t, func(t test) {
		models := []any{&orm.User{}, &orm.Post{}, &orm.Tag{}}
		t.want("statements of the first time", len(t.changes(models...)) >= 4, true)
		for _, change := range t.changes(models...) {
			t.Errorf("the second time sends %s", change)
		}
		t.want("what there is", strings.ReplaceAll(fmt.Sprint(t.relations()), "{{schema}}_", ""),
			"[fk_post_tags_post fk_post_tags_tag fk_users_posts idx_posts_user_id idx_users_email post_tags post_tags_pkey posts "+
				"posts_id_seq posts_pkey tags tags_id_seq tags_pkey uni_tags_name uni_tags_name users users_id_seq users_pkey]")
	})
}

// changes migrates models, and returns the statements that change something.
func (t test) changes(models ...any) []string {
	t.Helper()
	log := &changeLog{Interface: logger.Discard}
	wantNil(t.T, t.db.Session(&gorm.Session{Logger: log}).AutoMigrate(models...))
	return log.sent
}

// changeLog is a logger that keeps the statements that change tables.
type changeLog struct {
	logger.Interface
	sent []string
}

func (l *changeLog) LogMode(logger.LogLevel) logger.Interface { return l }

func (l *changeLog) Trace(_ context.Context, _ time.Time, statement func() (string, int64), _ error) {
	text, _ := statement()
	if verb, _, _ := strings.Cut(strings.TrimSpace(text), " "); !slices.Contains([]string{"SELECT", "INSERT"}, verb) {
		l.sent = append(l.sent, text)
	}
}

// relations returns what is in the tenant's schema.
func (t test) relations() (names []string) {
	t.Helper()
	t.ok(t.db.WithContext(driver.WithoutSchema(t.db.Statement.Context)).Raw(`
		SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)
		UNION ALL SELECT conname FROM pg_constraint
			WHERE connamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?) AND contype <> 'p'
		ORDER BY 1`, t.tenant, t.tenant).Scan(&names))
	return names
}

// before and after are a model of two versions of a program.
type before struct {
	ID    int64
	Email string `gorm:"size:20;index"`
	Age   int16
	Note  string `gorm:"not null;default:none"`
	Code  string `gorm:"unique"`
}

type after struct {
	ID     int64
	Email  string `gorm:"size:80;not null;index:,unique;comment:where to write to"` // longer, not null, another index, a comment
	Age    int64  `gorm:"check:at_least,age >= 18"`                                 // another type, a check
	Note   string // no default any more
	Code   string // not unique any more
	City   string `gorm:"not null;default:Ulm;index:idx_city,type:hash;comment:new"`
	UserID *int64 // a foreign key
	User   *orm.User
}

func (before) TableName(naming schema.Namer) string { return naming.TableName("Account") }
func (after) TableName(naming schema.Namer) string  { return naming.TableName("Account") }

// AutoMigrate changes columns, indexes and constraints.
func TestAutoMigrateChanges(t *testing.T) {
	eachEmpty(t, func(t test) {
		t.changes(&before{})
		t.ok(t.db.Create(&before{Email: "a", Age: 20, Code: "c"}))
		t.changes(&after{})
		for _, change := range t.changes(&after{}) {
			t.Errorf("the second time sends %s", change)
		}
		t.want("columns", t.list(`SELECT attname || ' ' || format_type(atttypid, atttypmod) ||
				CASE WHEN attnotnull THEN ' not null' ELSE '' END ||
				coalesce(' default ' || pg_get_expr(adbin, adrelid), '') ||
				coalesce(' comment ' || col_description(attrelid, attnum), '') || ','
			FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE attnum > 1 AND attrelid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
				WHERE relname = 'accounts' AND nspname = ?) ORDER BY attnum`),
			"[email character varying(80) not null comment where to write to, age bigint, note text, code text, "+
				"city text not null default 'Ulm'::text comment new, user_id bigint,]")
		t.want("constraints", t.list("SELECT conname FROM pg_constraint WHERE conrelid <> 0 AND connamespace = "+
			"(SELECT oid FROM pg_namespace WHERE nspname = ?) AND contype <> 'n' ORDER BY 1"),
			"[accounts_pkey at_least fk_accounts_user users_pkey]")
		t.want("indexes", t.list("SELECT indexname FROM pg_indexes WHERE tablename = 'accounts' AND schemaname = ? ORDER BY 1"),
			"[accounts_pkey idx_accounts_email idx_city]")
		t.ok(t.db.Create(&after{Email: "b", Age: 30}))
	})
}

// Each method of the migrator looks at the tenant's tables, and changes them.
func TestMigrator(t *testing.T) {
	eachEmpty(t, func(t test) {
		m, model := t.db.Migrator(), &after{}
		t.want("a table that is not there", m.HasTable(model), false)
		wantNil(t.T, m.CreateTable(&orm.User{}, model))
		t.want("a table", m.HasTable(model), true)
		t.want("a table by its name", m.HasTable(t.table("accounts")), true)
		t.want("a table of another name", m.HasTable(t.table("others")), false)

		t.want("a column", m.HasColumn(model, "City"), true)
		wantNil(t.T, m.DropColumn(model, "City"))
		t.want("a dropped column", m.HasColumn(model, "City"), false)
		wantNil(t.T, m.AddColumn(model, "City"))
		wantNil(t.T, m.RenameColumn(model, "note", "remark"))
		wantNil(t.T, m.AlterColumn(model, "Email"))
		columns, err := m.ColumnTypes(model)
		wantNil(t.T, err)
		var names []string
		for _, column := range columns {
			kind, _ := column.ColumnType()
			names = append(names, column.Name()+" "+kind)
		}
		t.want("columns", names, "[id bigint email character varying(80) age bigint remark text code text user_id bigint city text]")

		t.want("a check", m.HasConstraint(model, "at_least"), true)
		wantNil(t.T, m.DropConstraint(&before{}, "at_least")) // GORM loses the schema if the model still has the constraint
		t.want("a dropped check", m.HasConstraint(model, "at_least"), false)
		wantNil(t.T, m.CreateConstraint(model, "at_least"))
		t.want("a check again", m.HasConstraint(model, "at_least"), true)
		t.want("a foreign key", m.HasConstraint(model, "User"), true)

		wantNil(t.T, m.CreateView(t.table("view"), gorm.ViewOption{Query: t.db.Model(model).Where("age > ?", 18)}))
		t.ok(t.db.Table(t.table("view")).Count(new(int64)))
		wantNil(t.T, m.DropView(t.table("view")))
		wantNil(t.T, m.RenameTable(t.table("accounts"), t.table("renamed")))
		t.want("a table by its old name", m.HasTable(model), false)
		t.want("a table by its new name", m.HasTable(t.table("renamed")), true)
		wantNil(t.T, m.DropTable(t.table("renamed")))
		t.want("a dropped table", m.HasTable(t.table("renamed")), false)
	})
}

// CREATE INDEX CONCURRENTLY and the like run outside of transactions, and in the tenant's schema nevertheless.
func TestConcurrentIndex(t *testing.T) {
	eachEmpty(t, func(t test) {
		type concurrent struct {
			before
			More string `gorm:"index:,option:CONCURRENTLY"`
		}
		t.changes(&before{})
		t.changes(&concurrent{})
		t.want("indexes", t.list("SELECT indexname FROM pg_indexes WHERE tablename = 'accounts' AND schemaname = ? ORDER BY 1"),
			"[accounts_pkey idx_accounts_email idx_accounts_more uni_accounts_code]")
	})
}

// Indexes are found, and renamed and dropped where GORM does not cut the table's name.
func TestMigratorIndexes(t *testing.T) {
	eachEmpty(t, func(t test) {
		m, model := t.db.Migrator(), &before{}
		t.changes(model)
		t.want("an index", m.HasIndex(model, "Email"), true)
		indexes, err := m.GetIndexes(model)
		wantNil(t.T, err)
		t.want("indexes", indexes[0].Name(), "idx_accounts_email")
		if t.cut() {
			return
		}
		wantNil(t.T, m.DropIndex(model, "Email"))
		t.want("a dropped index", m.HasIndex(model, "Email"), false)
		wantNil(t.T, m.CreateIndex(model, "Email"))
		wantNil(t.T, m.RenameIndex(model, "idx_accounts_email", "idx_renamed"))
		t.want("a renamed index", m.HasIndex(model, "idx_renamed"), true)

		found, err := t.db.Table(t.table("accounts")).Migrator().GetTables()
		wantNil(t.T, err)
		t.want("all tables", found, "[accounts]")
	})
}

// The facade of schemadb migrates its own schema.
func TestFacadeMigrates(t *testing.T) {
	t.Parallel()
	pool := withSchemaArgs(t, tenants.Empty(t), "schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		db := schemadb.New(pool, tenant)
		one := test{T: t, db: open(t, db, orm.NewTemplates(), false), tenant: tenant}
		one.changes(&orm.User{})
		one.want("changes the second time", one.changes(&orm.User{}), "[]")
		wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
			one.db = open(t, tx, orm.NewTemplates(), false)
			one.changes(&orm.Post{})
			one.want("changes the second time", one.changes(&orm.Post{}), "[]")
			return nil
		}))
	})
}

// A migration in a transaction is undone with it.
func TestMigrateInTransaction(t *testing.T) {
	eachEmpty(t, func(t test) {
		err := t.db.Transaction(func(tx *gorm.DB) error {
			in := t
			in.db = tx
			in.changes(&orm.Post{})
			in.want("a table", tx.Migrator().HasTable(&orm.Post{}), true)
			in.want("where it is", slices.Contains(in.relations(), "posts"), true)
			return errAbandon
		})
		t.want("the transaction", err, errAbandon)
		t.want("tables", t.relations(), "[]")
	})
}

// list returns the lines of a query that names the tenant's schema in its one parameter.
func (t test) list(query string) (lines []string) {
	t.Helper()
	t.ok(t.db.WithContext(driver.WithoutSchema(t.db.Statement.Context)).Raw(query, t.tenant).Scan(&lines))
	return lines
}

// A program migrates its tenants one after the other, as often as it starts.
func TestOpenTemplates(t *testing.T) {
	t.Parallel()
	database := tenants.Empty(t)
	for range 2 {
		db, err := orm.OpenTemplates(database.DSN())
		wantNil(t, err)
		pool, err := db.DB()
		wantNil(t, err)
		database.Closing(pool)
		for _, tenant := range tenants.All {
			ctx := driver.WithSchema(t.Context(), tenant)
			wantNil(t, db.WithContext(ctx).AutoMigrate(&orm.User{}, &orm.Post{}))
			if !db.WithContext(ctx).Migrator().HasTable(&orm.Post{}) {
				t.Errorf("%s has no table", tenant)
			}
			database.Exec("INSERT INTO " + quoted(tenant) + ".users (email, name) VALUES (now()::text, '')") // it is there
		}
	}
}
