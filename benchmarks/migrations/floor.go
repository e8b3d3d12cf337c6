package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// floor sends what has to be done and nothing else: for each schema the statements of all files in one message of the
// simple protocol, which the server runs as one transaction. It keeps no history, so it cannot be
// asked what is left to do.
var floor = contender{"floor", func(ctx context.Context, dsn string, workers int) (session, error) {
	f := &floorSession{}
	for range workers {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.conns = append(f.conns, conn)
	}
	return f, nil
}}

type floorSession struct{ conns []*pgx.Conn } // one for each worker

func (f *floorSession) apply(ctx context.Context, schemas []string, fresh bool) error {
	if !fresh {
		return errors.New("without a history nobody knows what there is to do")
	}
	return share(ctx, schemas, len(f.conns), func(ctx context.Context, worker int, schema string) error {
		texts, err := expandedSet(schema)
		if err != nil {
			return err
		}
		message := createSchema(schema) + ";\n" + strings.Join(texts, "")
		return f.conns[worker].PgConn().Exec(ctx, message).Close()
	})
}

func (f *floorSession) close() (err error) {
	for _, conn := range f.conns {
		err = errors.Join(err, conn.Close(context.Background()))
	}
	return err
}
