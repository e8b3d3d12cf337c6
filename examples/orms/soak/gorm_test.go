package soak_test

import (
	"context"
	"database/sql"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// openGORM opens GORM on a pool. A GORM that prepares statements must not begin more transactions than there are connections to
// spare: it lets a transaction, which has a connection, wait for somebody who prepares the same statement, and may want one.
func openGORM(t *testing.T, db *sql.DB, prepares bool) *gorm.DB {
	t.Helper()
	orm, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{PrepareStmt: prepares, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return orm
}

// account is a row of a tenant's accounts, for GORM.
type account struct {
	ID      int
	Tenant  string
	Balance int
}

// note is a row of a tenant's notes, for GORM.
type note struct {
	ID     int64
	Tenant string `gorm:"default:(-)"`
	Text   string
}

// model returns GORM's session for the actor's table. It keeps prepared statements for all tenants alike.
func (a *actor) model(ctx context.Context, db *gorm.DB) *gorm.DB {
	return db.WithContext(ctx).Table(a.sql("{{tables.accounts}}"))
}

func readWithGORM(ctx context.Context, a *actor) error {
	var one account
	if err := a.model(ctx, a.orm).First(&one, a.account()).Error; err != nil {
		return err
	}
	a.saw("GORM", one.Tenant)
	var found []account
	if err := a.model(ctx, a.orm).Where("balance > ?", balance).Order("id").Find(&found).Error; err != nil {
		return err
	}
	for _, one := range found {
		a.saw("GORM", one.Tenant)
	}
	return nil
}

// writeWithGORM takes from one account and gives to it again.
func writeWithGORM(ctx context.Context, a *actor) error {
	return a.ormTx.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var one account
		if err := a.model(ctx, tx).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&one, a.account()).Error; err != nil {
			return err
		}
		a.saw("GORM's transaction", one.Tenant)
		for _, change := range []int{-5, 5} {
			err := a.model(ctx, tx).Where("id = ?", one.ID).Update("balance", gorm.Expr("balance + ?", change)).Error
			if err != nil {
				return err
			}
		}
		return tx.Table(a.sql("{{tables.notes}}")).Create(&note{Text: a.text("of GORM")}).Error
	})
}
