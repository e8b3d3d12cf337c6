//go:build unix

package pgdocker

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ory/dockertest/v3"
	"github.com/ory/dockertest/v3/docker"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// Source is the server in a container.
var Source = pgserver.Source{Name: "docker", Check: check, Start: start, Limit: pullLimit + startLimit + stopLimit}

func init() { pgserver.Keep(Source) }

const (
	pullLimit  = 10 * time.Minute
	startLimit = time.Minute
	stopLimit  = 30 * time.Second
	pingLimit  = 5 * time.Second
)

// engine connects to the Docker engine, which may not be there.
func engine(ctx context.Context) (*docker.Client, error) {
	pool, err := dockertest.NewPool("")
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, pingLimit)
		defer cancel()
		err = pool.Client.PingWithContext(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("no Docker engine answers (%w); install and start Docker, or set DOCKER_HOST", err)
	}
	return pool.Client, nil
}

func check(ctx context.Context, o pgserver.Order) (key string, err error) {
	image := os.Getenv(imageVariable)
	if err := checkImage(image, o.Version); err != nil {
		return "", err
	}
	client, err := engine(ctx)
	if err != nil {
		return "", err
	}
	return client.Endpoint() + " " + image, nil
}

// start starts a server and waits until it accepts connections. When it returns an error, nothing is left of it.
func start(ctx context.Context, o pgserver.Order) (pgserver.Running, error) {
	client, err := engine(ctx)
	if err != nil {
		return pgserver.Running{}, err
	}
	sweep(ctx, client, o.Socket())
	image, err := findImage(ctx, client, o.Version)
	if err != nil {
		return pgserver.Running{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := newContainer(client, image, o)
	if err != nil {
		return pgserver.Running{}, err
	}
	dsn, err := c.start(ctx)
	if err != nil {
		if removeErr := c.remove(); removeErr != nil {
			err = fmt.Errorf("%w (and then: %w)", err, removeErr)
		}
		return pgserver.Running{}, fmt.Errorf("the image %s: %w", image, err)
	}
	return pgserver.Running{DSN: dsn, Stop: c.remove, Gone: c.gone}, nil
}
