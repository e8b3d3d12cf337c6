package driver

import sqldriver "database/sql/driver"

// tx is a transaction for which its connection remembers something.
type tx struct {
	sqldriver.Tx
	conn *conn
}

// Commit commits, and forgets the transaction's schema.
func (t *tx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

// Rollback rolls back, and forgets the transaction's schema.
func (t *tx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *tx) end() {
	t.conn.tx = nil
	if t.conn.path != nil {
		t.conn.afterTransaction()
	}
}
