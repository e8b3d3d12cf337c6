package schemadb

import (
	"iter"
	"reflect"
	"time"
)

// A chunk of rows is pulled from a sequence at once, because each time takes as long as encoding some rows.
const (
	chunkRows  = 64
	chunkBytes = 64 << 10
)

// chunks returns the rows in chunks, the last of them with an error if there is one. A sequence may use a row's memory
// for the next one, so values are copied, and a value that may change with its memory ends the chunk.
func chunks(seq rowSeq) iter.Seq2[[][]any, error] {
	return func(yield func([][]any, error) bool) {
		var rows [][]any
		var values []any
		bytes := 0
		for row, err := range seq {
			if err != nil {
				yield(rows, err)
				return
			}
			first := len(values)
			values = append(values, row...)
			rows = append(rows, values[first:])
			n, fixed := fixedSize(row)
			bytes += n
			if len(rows) == chunkRows || bytes >= chunkBytes || !fixed {
				if !yield(rows, nil) {
					return
				}
				rows, values, bytes = rows[:0], values[:0], 0
			}
		}
		if len(rows) > 0 {
			yield(rows, nil)
		}
	}
}

// fixedSize returns about what a row's values take, and whether they stay what they are whatever happens to the memory
// that they came from.
func fixedSize(row []any) (bytes int, fixed bool) {
	fixed = true
	for _, value := range row {
		switch v := value.(type) {
		case nil, bool, int, int16, int32, int64, float32, float64, time.Time:
		case string:
			bytes += len(v)
		default:
			kind := reflect.TypeOf(value).Kind()
			fixed = fixed && (kind < reflect.Array || kind == reflect.String)
		}
	}
	return bytes + 16*len(row), fixed
}

// seqSource is a pgx.CopyFromSource of a sequence.
type seqSource struct {
	pull func() ([][]any, error, bool)
	rows [][]any // the row, and those after it in its chunk
	last error   // what comes after rows
	err  error
}

// Next goes to the next row.
func (s *seqSource) Next() bool {
	if len(s.rows) > 0 {
		s.rows = s.rows[1:]
	}
	if len(s.rows) == 0 && s.last == nil {
		s.rows, s.last, _ = s.pull()
	}
	if len(s.rows) == 0 {
		s.err = s.last
		return false
	}
	return true
}

// Values returns the row.
func (s *seqSource) Values() ([]any, error) { return s.rows[0], nil }

// Err returns why there are no more rows, or nil.
func (s *seqSource) Err() error { return s.err }
