package main

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// dialer opens a connection to the server.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func direct(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// delayed returns a dialer of connections on which everything arrives later, as through a network: by delay, a time.Duration that may
// change.
func delayed(delay *atomic.Int64) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		server, err := direct(ctx, network, address)
		if err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, server.Close())
		}
		defer func() { _ = listener.Close() }() // it is for one connection
		client, err := direct(ctx, "tcp", listener.Addr().String())
		if err != nil {
			return nil, errors.Join(err, server.Close())
		}
		proxy, err := listener.Accept()
		if err != nil {
			return nil, errors.Join(err, server.Close(), client.Close())
		}
		go carry(proxy, server, delay)
		go carry(server, proxy, delay)
		return client, nil
	}
}

// parcel is data that arrives at a time.
type parcel struct {
	data []byte
	due  time.Time
}

// carry passes on what it reads, after a while, and keeps the order.
func carry(to, from net.Conn, delay *atomic.Int64) {
	const underWay = 1024
	parcels := make(chan parcel, underWay)
	go func() {
		defer close(parcels)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				parcels <- parcel{data[:n], time.Now().Add(time.Duration(delay.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parcels {
		time.Sleep(time.Until(p.due)) // the time is what is simulated
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close() // the other side has gone
	_ = from.Close()
	for range parcels { // until its reader has seen that
	}
}
