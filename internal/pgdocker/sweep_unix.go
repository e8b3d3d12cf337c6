//go:build unix

package pgdocker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/ory/dockertest/v3/docker"
)

// Labels of a container: where its keeper runs, and the socket on which it listens as long as it lives.
const (
	hostLabel   = "pgdbm.host"
	keeperLabel = "pgdbm.keeper"
)

// thisHost tells those with the same files apart from others, such as two containers with one host name.
func thisHost() string {
	name, _ := os.Hostname()
	mounts, _ := os.Readlink("/proc/self/ns/mnt") // "" where there are no namespaces
	return name + " " + mounts
}

// sweep removes the containers whose keepers were killed. It is called by the keeper that listens on socket, so a container
// with that label is another one's, which was there before. What cannot be removed is only said.
func sweep(ctx context.Context, client *docker.Client, socket string) {
	list, err := client.ListContainers(docker.ListContainersOptions{
		All: true, Context: ctx, Filters: map[string][]string{"label": {hostLabel + "=" + thisHost(), keeperLabel}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "looking for containers of killed tests:", err)
	}
	for _, c := range list {
		keeper := c.Labels[keeperLabel]
		if keeper != socket && !nobodyAt(keeper) {
			continue
		}
		if err := remove(ctx, client, c.ID); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// nobodyAt reports whether it is certain that nobody listens on a socket. Another user's may be closed to us.
func nobodyAt(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		_ = conn.Close()
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}
