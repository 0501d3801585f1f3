package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// What becomes of a connection.
const (
	// It is closed before anything was answered.
	refused = "refused"
	// The application has answered.
	served = "served"
)

const (
	timeout = 10 * time.Second
	// Whoever changes a port may have to wait before he can.
	patience = 100 * time.Second
	ask      = "GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
	answer   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

// firstThatIs begins one connection after the other, each in its time, or when the one before it has ended.
func firstThatIs(port, what string, interval time.Duration) (at time.Time, err error) {
	next := time.Now()
	for deadline := next.Add(patience); next.Before(deadline); {
		time.Sleep(time.Until(next))
		at = time.Now()
		became, err := connect(port)
		if err != nil || became == what {
			return at, err
		}
		if next = next.Add(interval); next.Before(time.Now()) {
			next = time.Now()
		}
	}
	return at, fmt.Errorf("expected a connection to %s to be %s within %s", port, what, patience)
}

func connect(port string) (became string, err error) {
	connection, err := net.DialTimeout("tcp", port, timeout)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(timeout))
	// It may be closed before all is written.
	_, _ = io.WriteString(connection, ask)
	var first [512]byte
	count, err := connection.Read(first[:])
	switch {
	case bytes.HasPrefix(first[:count], []byte("HTTP/1.1 200 ")):
		return served, nil
	case count > 0:
		return "", fmt.Errorf("%s has answered %q", port, first[:count])
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("%s has neither answered nor closed", port)
	default:
		return refused, nil
	}
}

// serve answers whatever comes, once.
func serve(app net.Listener) error {
	for {
		connection, err := app.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			var some [512]byte
			if _, err := connection.Read(some[:]); err == nil {
				_, _ = io.WriteString(connection, answer)
			}
		}()
	}
}
