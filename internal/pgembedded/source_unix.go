//go:build unix

package pgembedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// Source is the server from programs that are downloaded.
var Source = pgserver.Source{Name: "embedded", Check: check, Start: start, Limit: 11 * time.Minute}

func init() {
	installer()
	pgserver.Keep(Source)
}

// downloadVariable names the environment variable with the base URL of another Maven repository.
const downloadVariable = "PGDBM_TEST_DOWNLOAD"

// versions are those of the library that pgdbm supports.
var versions = map[string]embeddedpostgres.PostgresVersion{
	"13": embeddedpostgres.V13,
	"14": embeddedpostgres.V14,
	"15": embeddedpostgres.V15,
	"16": embeddedpostgres.V16,
	"17": embeddedpostgres.V17,
	"18": embeddedpostgres.V18,
}

const defaultVersion = "18"

// known returns the library's version for a major one, or for the default if that is "".
func known(major string) (embeddedpostgres.PostgresVersion, error) {
	if major == "" {
		major = defaultVersion
	}
	version, ok := versions[major]
	if !ok {
		return "", fmt.Errorf("there is no PostgreSQL %s to download, only %s",
			major, strings.Join(slices.Sorted(maps.Keys(versions)), ", "))
	}
	return version, nil
}

func check(_ context.Context, o pgserver.Order) (key string, err error) {
	switch version, err := known(o.Version); {
	case err != nil:
		return "", err
	case o.TLS:
		return "", pgserver.ErrNoTLS
	case o.Cache == "":
		return "", errors.New("there is no cache directory to download to; set HOME")
	default:
		return string(version) + " " + os.Getenv(downloadVariable), nil
	}
}

func start(ctx context.Context, o pgserver.Order) (pgserver.Running, error) {
	return startFrom(ctx, o, os.Getenv(downloadVariable))
}

// startFrom starts a server, after downloading it from a repository if need be.
func startFrom(ctx context.Context, o pgserver.Order, url string) (pgserver.Running, error) {
	version, err := known(o.Version)
	if err != nil {
		return pgserver.Running{}, err
	}
	dir, err := install(ctx, job{Cache: o.Cache, Version: version, URL: url})
	if err != nil {
		return pgserver.Running{}, err
	}
	return o.StartPrograms(ctx, filepath.Join(dir, "bin"))
}
