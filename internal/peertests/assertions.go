package peertests

import (
	"context"
	"database/sql"

	"github.com/Masterminds/squirrel"
	"github.com/aarondl/sqlboiler/v4/boil"
	"gorm.io/gorm"

	"github.com/pgdbm/pgdbm/schemadb"
)

// DBTX is the interface that sqlc writes into the code it generates for database/sql.
type DBTX interface {
	ExecContext(context.Context, string, ...interface{}) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...interface{}) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...interface{}) *sql.Row
}

// executor is what the libraries take to run statements.
type executor interface {
	DBTX

	squirrel.BaseRunner
	squirrel.StdSqlCtx
	squirrel.ExecerContext
	squirrel.QueryerContext
	squirrel.PreparerContext

	boil.Executor
	boil.ContextExecutor

	gorm.ConnPool
}

var (
	_ executor = (*schemadb.DB)(nil)
	_ executor = (*schemadb.Tx)(nil)
	_ executor = (*schemadb.Conn)(nil)

	_ boil.Beginner        = (*schemadb.DB)(nil)
	_ boil.ContextBeginner = (*schemadb.DB)(nil)
	_ boil.ContextBeginner = (*schemadb.Conn)(nil)

	_ boil.Transactor        = (*schemadb.Tx)(nil)
	_ boil.ContextTransactor = (*schemadb.Tx)(nil)

	// GORM begins its transactions with one of TxBeginner and ConnPoolBeginner, and asks for the former first. What it
	// gets is a *sql.Tx, so a *schemadb.Tx need not be a gorm.Tx.
	_ gorm.TxBeginner  = (*schemadb.DB)(nil)
	_ gorm.TxBeginner  = (*schemadb.Conn)(nil)
	_ gorm.TxCommitter = (*schemadb.Tx)(nil)
)
