// Package rowscan fills Go values from the rows of a pgx query, with the results of database/sql.
//
// A query sent with [ResultFormats] brings the same bytes as through pgx's database/sql driver. [New] plans once how
// these fill one value in fixed memory, and [Row.Scan] fills it anew for each row, almost without reflection:
//
//	rows, err := conn.Query(ctx, sql, rowscan.ResultFormats(), args...)
//	var u User
//	var row *rowscan.Row
//	for rows.Next() {
//		if row == nil { // only now the fields are known in every exec mode of pgx
//			row, err = rowscan.New(&u, opts, conn.TypeMap(), rows.FieldDescriptions())
//		}
//		err = row.Scan(rows.RawValues())
//		users = append(users, u)
//	}
//
// # What is filled
//
//   - a struct: columns go to fields by the names of a reflectx.Mapper, as in sqlx, also of embedded structs and with
//     dotted names; structs behind pointers are allocated when a column goes there
//   - a map[string]any, or a type defined as that: column names to the values of database/sql
//   - anything else, and any sql.Scanner: the value of the only column
//   - a pointer to one of these
//
// # How a column is converted
//
// Destinations that database/sql knows (sql.Scanner, booleans, numbers, strings, bytes, time.Time, interfaces, types
// defined as these, pointers to them) get what they get there: the driver.Value of pgx's driver, converted by
// database/sql's rules. Common pairs go a shorter way to the same result. All other destinations, such as []string,
// [16]byte, pgtype.Range or a struct from jsonb, are scanned by the type map of the connection. That is the division
// that pgx's driver itself makes from Go 1.27 on, except that pgtype.DriverBytes is a copy here, because a row outlives
// the driver's memory.
//
// Where database/sql has only an error there may be a result. On purpose: NULL fits whatever can be nil, so also
// json.RawMessage; and a defined type takes what the type takes that it is defined as, if that is not []byte.
package rowscan
