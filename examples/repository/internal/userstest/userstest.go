// Package userstest holds what both versions of package users must do.
package userstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Repository is what both versions have. U is their own User.
type Repository[U User] interface {
	Create(ctx context.Context, u *U) error
	Import(ctx context.Context, users []U) (int64, error)
	ByEmail(ctx context.Context, email string) (u U, found bool, err error)
	WithIDs(ctx context.Context, ids []int64) ([]U, error)
	Names(ctx context.Context) (map[string]string, error)
	Rename(ctx context.Context, id int64, name string) error
	OldNames(ctx context.Context, id int64) ([]string, error)
	Seen(ctx context.Context, visits map[string]time.Time) error
}

// User is the type User of both versions.
type User interface{ ~Fields }

// Fields is what a User has.
type Fields = struct {
	ID      int64      `db:"id"`
	Email   string     `db:"email"`
	Name    string     `db:"name"`
	Created time.Time  `db:"created"`
	Seen    *time.Time `db:"seen"`
}

// Check uses a repository without users.
func Check[U User](t *testing.T, r Repository[U]) {
	t.Helper()
	ada := checkCreate(t, r)
	checkImport(t, r)
	checkWithIDs(t, r, ada)
	checkRename(t, r, ada)
	checkSeen(t, r)

	names, err := r.Names(t.Context())
	want := map[string]string{"ada@example.com": "Ada King", "grace@example.com": "Grace", "alan@example.com": "Alan"}
	if err != nil || !maps.Equal(names, want) {
		t.Errorf("in the end the names are %v, %v; want %v", names, err, want)
	}
}

func checkCreate[U User](t *testing.T, r Repository[U]) Fields {
	t.Helper()
	u := U(Fields{Email: "ada@example.com", Name: "Ada"})
	if err := r.Create(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	ada := Fields(u)
	if ada.ID == 0 || ada.Created.IsZero() || ada.Seen != nil || ada.Name != "Ada" {
		t.Errorf("the new user is %+v", ada)
	}
	found, ok, err := r.ByEmail(t.Context(), "ada@example.com")
	if got := Fields(found); err != nil || !ok || got.ID != ada.ID || !got.Created.Equal(ada.Created) {
		t.Errorf("ByEmail found %+v, %t, %v; want %+v", got, ok, err, ada)
	}
	if found, ok, err := r.ByEmail(t.Context(), "nobody@example.com"); ok || err != nil {
		t.Errorf("ByEmail found %+v, %t, %v; want nobody", found, ok, err)
	}
	again := U(Fields{Email: "ada@example.com", Name: "Another"})
	wantTaken(t, "Create", r.Create(t.Context(), &again))
	return ada
}

func checkImport[U User](t *testing.T, r Repository[U]) {
	t.Helper()
	people := []U{
		U(Fields{Email: "grace@example.com", Name: "Grace"}),
		U(Fields{Email: "alan@example.com", Name: "Alan"}),
	}
	if n, err := r.Import(t.Context(), people); n != 2 || err != nil {
		t.Fatalf("Import returned %d, %v", n, err)
	}
	people = []U{
		U(Fields{Email: "edsger@example.com", Name: "Edsger"}),
		U(Fields{Email: "ada@example.com", Name: "Another"}),
	}
	_, err := r.Import(t.Context(), people)
	wantTaken(t, "Import", err)
}

func checkWithIDs[U User](t *testing.T, r Repository[U], ada Fields) {
	t.Helper()
	grace, _, err := r.ByEmail(t.Context(), "grace@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ids  []int64
		want string
	}{
		{nil, "[]"},
		{[]int64{-1}, "[]"},
		{[]int64{ada.ID}, "[Ada]"},
		{[]int64{Fields(grace).ID, -1, ada.ID}, "[Ada Grace]"},
	} {
		users, err := r.WithIDs(t.Context(), c.ids)
		names := []string{}
		for _, u := range users {
			names = append(names, Fields(u).Name)
		}
		if got := fmt.Sprint(names); err != nil || got != c.want {
			t.Errorf("WithIDs(%d) returned %s, %v; want %s", c.ids, got, err, c.want)
		}
	}
}

func checkRename[U User](t *testing.T, r Repository[U], ada Fields) {
	t.Helper()
	for _, name := range []string{"Ada Byron", "Ada King"} {
		if err := r.Rename(t.Context(), ada.ID, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Rename(t.Context(), -1, "Nobody"); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("Rename of a user who does not exist returned %v", err)
	}
	names, err := r.OldNames(t.Context(), ada.ID)
	if err != nil || !slices.Equal(names, []string{"Ada", "Ada Byron"}) {
		t.Errorf("the old names are %q, %v", names, err)
	}
}

func checkSeen[U User](t *testing.T, r Repository[U]) {
	t.Helper()
	first := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	second := first.Add(time.Hour)
	for _, visits := range []map[string]time.Time{
		{"ada@example.com": second, "grace@example.com": first, "nobody@example.com": first},
		{"ada@example.com": first, "grace@example.com": second}, // Ada's came late
	} {
		if err := r.Seen(t.Context(), visits); err != nil {
			t.Fatal(err)
		}
	}
	for _, email := range []string{"ada@example.com", "grace@example.com"} {
		u, _, err := r.ByEmail(t.Context(), email)
		if seen := Fields(u).Seen; err != nil || seen == nil || !seen.Equal(second) {
			t.Errorf("%s was seen %v, %v; want %v", email, seen, err, second)
		}
	}
}

// wantTaken fails the test unless err is PostgreSQL's, about an address that is in use.
func wantTaken(t *testing.T, what string, err error) {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.ConstraintName != "users_email_key" {
		t.Errorf("%s with an address that is taken returned %v", what, err)
	}
}
