package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/driver"
)

// withTenant lets next handle a request in the schema of its tenant. tenant says which one that is, and schemas has the
// schemas of all of them. A tenant that is not among them gets 404.
//
// Never give driver.WithSchema a name as it comes from the request. It is quoted, so no SQL can be smuggled in; but each
// schema of the database would be a tenant then: public, another module's, the archive of last year.
func withTenant(schemas map[string]string, tenant func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		schema, known := schemas[tenant(r)]
		if !known {
			writeError(w, http.StatusNotFound, "there is nothing here")
			return
		}
		next.ServeHTTP(w, r.WithContext(driver.WithSchema(r.Context(), schema)))
	})
}

// subdomain returns the first label of the host, which is acme for acme.example.com, or "" if there is but one. Others may
// take the tenant from a header that a gateway sets, from the path, or from a token whose signature was checked before.
func subdomain(r *http.Request) string {
	label, _, found := strings.Cut(r.Host, ".")
	if !found {
		return ""
	}
	return strings.ToLower(label)
}

// requestTimeout is how long a request may take, its queries included.
const requestTimeout = 5 * time.Second

// withTimeout ends the context of a request, and with it the query that is running, when the time is up.
func withTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
